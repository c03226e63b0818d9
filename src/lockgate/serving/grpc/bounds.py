"""What a message may claim: a few bytes of a message can stand for many more in memory, and a name of megabytes is nobody's."""

from __future__ import annotations

from typing import Any

from lockgate.kernel.errors import Fault
from lockgate.serving.gateway.intake import LARGE
from lockgate.serving.protocol.requests import refused

MOST_TENSORS = 4096  # inputs and outputs of one request
_MOST_FIELDS = 4 * MOST_TENSORS  # inputs, their bytes, outputs, parameters
_LONGEST_NAME = 1000
_NAMES = ("model_name", "model_version", "name", "version")
_LONGEST_VARINT = 10  # bytes
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5  # kinds of fields on the wire


def check_fields(body: bytes) -> None:
    """Count the fields of a message before it is parsed: two bytes are an empty tensor, which takes a hundred in memory.

    Small messages cannot do much, and are not looked at; what is no message is left to the parser.

    Raises:
        InvalidInput: there are more than any request needs.
    """
    if len(body) < LARGE:
        return
    offset = 0
    for _ in range(_MOST_FIELDS):
        offset = _behind_field(body, offset)
        if offset >= len(body):
            return
    raise refused([Fault("", f"a message of more than {_MOST_FIELDS} fields found")])


def has_long_name(message: Any, size: int) -> bool:
    """Whether a message of so many bytes names something that cannot be there."""
    return size > _LONGEST_NAME and any(len(getattr(message, name, "")) > _LONGEST_NAME for name in _NAMES)


def _behind_field(body: bytes, offset: int) -> int:
    """Where the next field begins; the end of the body, if this is none."""
    tag, offset = _varint(body, offset)
    kind = tag & 7
    if kind == _VARINT:
        return _varint(body, offset)[1]
    if kind == _LENGTH:
        length, offset = _varint(body, offset)
        return offset + length
    return offset + {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(kind, len(body))


def _varint(body: bytes, offset: int) -> tuple[int, int]:
    """A number, and where it ends; the end of the body, if it has none."""
    value = 0
    for place, byte in enumerate(body[offset : offset + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a number has no highest bit
            return value, offset + place + 1
    return value, len(body)
