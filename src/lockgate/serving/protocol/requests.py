"""Inference requests: the Open Inference Protocol v2 over JSON, or rows as people write them with curl.

This file reads JSON; `parsing` chooses between it and the other forms. Whether shapes fit their data, and the data the model, is
checked where the model is known: in `columns`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from http import HTTPStatus
from itertools import islice
from typing import Any, TypeVar

import msgspec

from lockgate.kernel.errors import Fault, InvalidInput

SUBJECT = "the request"
_NOT_JSON = (b"NaN", b"Infinity")  # what Python's json writes for non-finite numbers

_MOST = 20  # faults that one answer tells of
_DEEPEST = 16  # dimensions of a tensor that are told, or unfolded for a look at its values
_WIDEST = 120
T = TypeVar("T")
Header = Callable[[str], str | None]  # looks a header of the request up, by its name in small letters


class Unsupported(InvalidInput):
    """A form of request or answer that is not spoken here; `status` is 415 or 406."""

    def __init__(self, status: HTTPStatus, fault: Fault, *, hint: str | None = None) -> None:
        super().__init__(SUBJECT, [fault], hint=hint)
        self.status = status


def refused(faults: Iterable[Fault], *, hint: str | None = None) -> InvalidInput:
    """All faults of a request, or the first of very many: an answer is bounded, whatever was sent."""
    first = list(islice(faults, _MOST))
    return InvalidInput(SUBJECT, first, hint=hint)


class Form(Enum):
    """How the answer is written. OWN: as the request was: tensors for tensors, predictions for rows."""

    OWN = "own"
    SCORING = "scoring"
    ARROW = "arrow"
    BINARY = "binary"


ABSENT: Any = ()  # data that did not come at all; an empty list is data that has no values


class InputTensor(msgspec.Struct, gc=False):
    """`data` in row-major order, flat or nested: a list, or an array if it came as bytes, or ABSENT."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] = ABSENT
    parameters: dict[str, Any] | None = None


class RequestedOutput(msgspec.Struct, gc=False):
    name: str
    parameters: dict[str, Any] | None = None


class InferenceRequest(msgspec.Struct, gc=False):
    """Either `inputs` (columns, as in the protocol) or `instances` (rows: name → value)."""

    inputs: list[InputTensor] | msgspec.UnsetType = msgspec.UNSET
    instances: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    id: str | None = None
    outputs: list[RequestedOutput] | None = None
    parameters: dict[str, Any] | None = None


class FormedRequest(InferenceRequest, gc=False, kw_only=True):
    """A request that is answered in another form than its own. `form` is never read from JSON."""

    form: Form = Form.OWN


class TableRequest(FormedRequest, gc=False, kw_only=True):
    """Columns whose datatypes are not told: each is a list with one cell for each row, or an array. text: the cells are text."""

    columns: dict[str, Any]
    rows: int
    text: bool = False


class MatrixRequest(FormedRequest, gc=False, kw_only=True):
    """Rows without names: their cells stand in the order of the signature; for a model with one input each row is its value."""

    data: list[Any]


class RawRequest(FormedRequest, gc=False, kw_only=True):
    """The bytes of the only input of a model, with nothing told of them."""

    content: memoryview


_decoder = msgspec.json.Decoder(InferenceRequest)


def parse(body: bytes | memoryview) -> InferenceRequest:
    """A request in JSON whose form is right.

    Raises:
        InvalidInput: it is no JSON, no request, or neither columns nor rows; every fault names its field.
    """
    try:
        request = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        request = explained(body, error, InferenceRequest)
    if (request.inputs is msgspec.UNSET) == (request.instances is msgspec.UNSET):
        raise refused([Fault("inputs", "expected either inputs (columns) or instances (rows)")])
    if not request.inputs and not request.instances:
        name, what = ("instances", "row") if request.inputs is msgspec.UNSET else ("inputs", "input")
        raise refused([Fault(name, f"expected at least one {what}, found none")])
    return request


def explained(body: bytes | memoryview, error: Exception, wanted: type[T]) -> T:
    """What the decoder refused, if only NaN or Infinity were in its way.

    They are no JSON, but Python writes them: they are read, so that the check of values can name their field.

    Raises:
        InvalidInput: anything else is wrong; says what, and where.
    """
    content = bytes(body)
    if isinstance(error, msgspec.ValidationError):
        raise refused([_fault(error)]) from error
    if isinstance(error, RecursionError):
        raise refused([Fault("", "the JSON is nested too deeply")]) from error
    if any(word in content for word in _NOT_JSON):
        return _with_constants(content, wanted)
    message = "expected a JSON object, found an empty body" if not content.strip() else f"this is not JSON: {error}"
    raise refused([Fault("", message)]) from error


def _with_constants(body: bytes, wanted: type[T]) -> T:
    try:
        content = json.loads(body)
        msgspec.json.encode(content)  # raises on halves of surrogate pairs, which Python's json lets pass
        return msgspec.convert(content, wanted)
    except msgspec.ValidationError as error:
        raise refused([_fault(error)]) from error
    except (ValueError, RecursionError) as error:
        raise refused([Fault("", f"this is not JSON: {error}")]) from error


def _fault(error: msgspec.ValidationError) -> Fault:
    message, _, path = str(error).partition(" - at `$")
    return Fault(path.rstrip("`").removeprefix("."), message)


def values_of(request: InferenceRequest, field: str) -> Sequence[Any]:
    """What all rows have in a field, as Python values; empty if the request does not name its fields, or not this one."""
    if request.instances is not msgspec.UNSET:
        return [row.get(field) for row in request.instances]
    if request.inputs is not msgspec.UNSET:
        return next((_flat(tensor.data) for tensor in request.inputs if tensor.name == field), ())
    if isinstance(request, TableRequest):
        return _flat(request.columns.get(field, ()))
    return ()


def _flat(data: Any) -> Sequence[Any]:
    values: Any = data if isinstance(data, list | tuple) else data.ravel().tolist()
    for _ in range(_DEEPEST):
        if not values or not isinstance(values[0], list):
            break
        values = [inner for item in values for inner in (item if isinstance(item, list) else [item])]
    return values  # type: ignore[no-any-return]


def shown(shape: Sequence[int]) -> str:
    """A shape as a message tells it: what a caller sent may be of any length."""
    text = str(list(shape[:_DEEPEST]))
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]}…"
