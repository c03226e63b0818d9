"""What a worker and a host say to each other on their Unix socket, and how arrays travel in it.

A host runs code that nobody here wrote. So a worker believes nothing that it says: every length, datatype, shape and number is
checked before an array is made of it, and what does not fit ends the link as `Malformed`, never the worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, prod
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from lockgate.kernel.errors import Invalid
from lockgate.runtimes.model import Array
from lockgate.serving.isolation.frames import LONGEST, Malformed, frame

_MOST_ARRAYS = 1024
_MOST_AXES = 8
_MOST_STRINGS = 1 << 22  # in one array
_MOST_OUTCOMES = 1024
_MOST_SCORES = 1 << 22
LONGEST_ANSWER = LONGEST >> 1
_LONGEST_MESSAGE = 500  # characters
_LONGEST_RUN = 1e6  # seconds
_TEXT, _BINARY, _BOOL = 0, 1, 2  # codes; binary: bytes that are no text, spelt in Latin-1
_KINDS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64")
_DTYPES = dict(enumerate((np.dtype(kind) for kind in _KINDS), start=_BOOL))
_CODES = {dtype: code for code, dtype in _DTYPES.items()}

FailureKind = Literal["error", "timeout", "output", "overloaded"]


class Wired(msgspec.Struct, array_like=True, frozen=True):
    """An array, rows first. Texts, and objects of bytes, travel as a list of strings, all others as raw bytes."""

    name: str
    code: int
    shape: Annotated[list[int], msgspec.Meta(max_length=_MOST_AXES)]
    data: memoryview | Annotated[list[str], msgspec.Meta(max_length=_MOST_STRINGS)]


Arrays = Annotated[list[Wired], msgspec.Meta(max_length=_MOST_ARRAYS)]


class Ask(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """Worker to host: answer this within `remaining` seconds."""

    id: int
    remaining: float
    feeds: Arrays


class Offer(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """Worker to host: the same, of a shadow. Only the scores come back, together with those of others."""

    id: int
    remaining: float
    feeds: Arrays


class Answer(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """Host to worker. seconds: what the model took."""

    id: int
    seconds: float
    outputs: Arrays


class Failure(msgspec.Struct, array_like=True, frozen=True, tag=2):
    id: int
    kind: FailureKind
    message: str


class Scored(msgspec.Struct, array_like=True, frozen=True):
    """What became of one offer: scores, or the kind of its failure."""

    id: int
    seconds: float
    scores: Annotated[list[float], msgspec.Meta(max_length=_MOST_SCORES)] | None
    kind: FailureKind | None = None
    message: str = ""


class Outcomes(msgspec.Struct, array_like=True, frozen=True, tag=3):
    results: Annotated[list[Scored], msgspec.Meta(max_length=_MOST_OUTCOMES)]


class _Sent(msgspec.Struct, array_like=True, frozen=True):
    """The form in which Ask, Offer and Answer are written: their arrays are packed already."""

    tag: int
    id: int
    seconds: float
    arrays: msgspec.Raw


_encode = msgspec.msgpack.Encoder().encode
_to_host = msgspec.msgpack.Decoder(Ask | Offer)
_to_worker = msgspec.msgpack.Decoder(Answer | Failure | Outcomes)


def pack(feeds: Mapping[str, Array]) -> bytes:
    """Arrays by their names, once for all who are asked.

    Raises:
        Invalid: an array is of a datatype that does not travel.
    """
    return _encode([_wired(name, array) for name, array in feeds.items()])


def pack_outputs(outputs: Iterable[Array]) -> bytes:
    """Raises Invalid as `pack` does."""
    return _encode([_wired("", array) for array in outputs])


def unpack(arrays: Sequence[Wired]) -> list[Array]:
    """Arrays of their own, aligned and writable, in native byte order.

    Raises:
        Malformed: an array's bytes are not what its datatype and shape say.
    """
    return [_array(wired) for wired in arrays]


def unpack_feeds(arrays: Sequence[Wired]) -> dict[str, Array]:
    """Raises Malformed as `unpack` does."""
    return {wired.name: _array(wired) for wired in arrays}


def ask(number: int, remaining: float, packed: bytes) -> bytes:
    """The frame of a request. Raises Malformed if it is too long."""
    return frame(_encode(_Sent(1, number, remaining, msgspec.Raw(packed))))


def offer(number: int, remaining: float, packed: bytes) -> bytes:
    """The frame of a shadow's request. Raises Malformed if it is too long."""
    return frame(_encode(_Sent(2, number, remaining, msgspec.Raw(packed))))


def answer(number: int, seconds: float, packed: bytes) -> bytes:
    """Raises Malformed if it is too long."""
    return frame(_encode(_Sent(1, number, seconds, msgspec.Raw(packed))), LONGEST_ANSWER)


def failure(number: int, kind: FailureKind, message: str) -> bytes:
    return frame(_encode(Failure(number, kind, message[:_LONGEST_MESSAGE])))


def outcomes(results: Sequence[Scored]) -> bytes:
    return frame(_encode(Outcomes(list(results))))


def heard_by_host(body: bytes) -> Ask | Offer:
    """Raises Malformed if it is neither."""
    try:
        message: Ask | Offer = _to_host.decode(body)
    except msgspec.MsgspecError as error:
        raise Malformed(f"no request: {error}") from error
    if not isfinite(message.remaining):
        raise Malformed(f"{message.remaining} seconds remain, a finite number expected")
    return message


def heard_by_worker(body: bytes) -> Answer | Failure | Outcomes:
    """Raises Malformed if it is none of them, or if its numbers cannot be."""
    try:
        message: Answer | Failure | Outcomes = _to_worker.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(f"no answer: {error}") from error
    if type(message) is Answer:
        _check_seconds(message.seconds)
    elif type(message) is Outcomes:
        for result in message.results:
            _check_outcome(result)
    return message


def _check_outcome(result: Scored) -> None:
    _check_seconds(result.seconds)
    if (result.scores is None) == (result.kind is None):
        raise Malformed("an outcome needs either scores or the kind of a failure")
    if result.scores is not None and not all(map(isfinite, result.scores)):
        raise Malformed("a score is not a finite number")


def _check_seconds(seconds: float) -> None:
    if not 0.0 <= seconds <= _LONGEST_RUN:
        raise Malformed(f"a run took {seconds} seconds, which cannot be")


def _wired(name: str, array: Array) -> tuple[str, int, tuple[int, ...], bytes | list[str]]:
    code = _CODES.get(array.dtype)
    if code is not None:
        return name, code, array.shape, array.tobytes()
    if array.dtype.kind in "OU":
        return name, *_strings(name, array)
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if native.dtype not in _CODES:
        raise Invalid(f"array {name!r} is of {array.dtype}; expected text or one of {', '.join(_KINDS)}")
    return _wired(name, native)


def _strings(name: str, array: Array) -> tuple[int, tuple[int, ...], list[str]]:
    values: list[Any] = array.ravel().tolist()
    kinds = set(map(type, values))
    if kinds <= {str}:
        return _TEXT, array.shape, values
    if all(issubclass(kind, str) for kind in kinds):
        return _TEXT, array.shape, list(map(str, values))  # numpy's own strings are not exactly str
    if all(issubclass(kind, bytes) for kind in kinds):
        return _BINARY, array.shape, [value.decode("latin-1") for value in values]
    found = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise Invalid(f"array {name!r} of objects holds {found}; text expected, or bytes")


def _array(wired: Wired) -> Array:
    shape, data = tuple(wired.shape), wired.data
    if any(length < 0 for length in shape):
        raise Malformed(f"shape {list(shape)} has a negative length")
    size = prod(shape)
    try:
        if isinstance(data, list):
            _check_size(wired, wired.code in (_TEXT, _BINARY) and len(data) == size)
            strings = np.empty(size, object)
            strings[:] = data if wired.code == _TEXT else [text.encode("latin-1") for text in data]
            return strings.reshape(shape)
        dtype = _DTYPES.get(wired.code)
        if dtype is None:
            raise Malformed(f"an array has datatype code {wired.code}, which is none")
        _check_size(wired, len(data) == size * dtype.itemsize)
        if wired.code == _BOOL:  # a byte that is neither 0 nor 1 would be a bool that numpy does not expect
            return np.asarray(np.ndarray(shape, np.uint8, data) != 0)
        return np.ndarray(shape, dtype, data).copy()
    except (ValueError, TypeError, OverflowError) as error:
        raise Malformed(f"no array of shape {list(shape)}: {error}") from error


def _check_size(wired: Wired, fits: bool) -> None:  # noqa: FBT001 - reads as the sentence it is
    if not fits:
        raise Malformed(f"an array of shape {list(wired.shape)} and datatype code {wired.code} brings {len(wired.data)} instead")
