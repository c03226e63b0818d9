"""Inference requests: the Open Inference Protocol v2 over JSON, or rows as people write them with curl.

This file checks what can be checked without knowing the model: syntax, shapes that fit their data, each input once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from lockgate.kernel.errors import Fault, InvalidInput

SUBJECT = "the request"
_BINARY_HINT = "Send tensors as JSON: the binary tensor extension is not spoken here (tritonclient: binary_data=False)."
_NOT_JSON = (b"NaN", b"Infinity")  # what Python's json writes for non-finite numbers


class InputTensor(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class RequestedOutput(msgspec.Struct):
    name: str


class InferenceRequest(msgspec.Struct):
    """Either `inputs` (columns, as in the protocol) or `instances` (rows: name → value)."""

    inputs: list[InputTensor] | msgspec.UnsetType = msgspec.UNSET
    instances: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    id: str | None = None
    outputs: list[RequestedOutput] | None = None


_decoder = msgspec.json.Decoder(InferenceRequest)


def parse(body: bytes) -> InferenceRequest:
    """A request whose form is right.

    Raises:
        InvalidInput: it is no JSON, no request, or its form contradicts itself; every fault names its field.
    """
    request = _decode(body)
    if (request.inputs is msgspec.UNSET) == (request.instances is msgspec.UNSET):
        raise InvalidInput(SUBJECT, [Fault("inputs", "expected either inputs (columns) or instances (rows)")])
    if request.inputs is not msgspec.UNSET:
        _check_inputs(request.inputs)
    elif not request.instances:
        raise InvalidInput(SUBJECT, [Fault("instances", "expected at least one row, found none")])
    return request


def _decode(body: bytes) -> InferenceRequest:
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidInput(SUBJECT, [_fault(error)]) from error
    except RecursionError as error:
        raise InvalidInput(SUBJECT, [Fault("", "the JSON is nested too deeply")]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if any(word in body for word in _NOT_JSON):
            return _decode_with_constants(body)
        message = "expected a JSON object, found an empty body" if not body.strip() else f"this is not JSON: {error}"
        raise InvalidInput(SUBJECT, [Fault("", message)], hint=_BINARY_HINT if b"\x00" in body else None) from error


def _decode_with_constants(body: bytes) -> InferenceRequest:
    """NaN and Infinity are no JSON, but Python writes them: read them, so that the check of values can name their field."""
    try:
        return msgspec.convert(json.loads(body), InferenceRequest)
    except msgspec.ValidationError as error:
        raise InvalidInput(SUBJECT, [_fault(error)]) from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(SUBJECT, [Fault("", f"this is not JSON: {error}")]) from error


def _fault(error: msgspec.ValidationError) -> Fault:
    message, _, path = str(error).partition(" - at `$")
    return Fault(path.rstrip("`").removeprefix("."), message)


def _check_inputs(inputs: list[InputTensor]) -> None:
    faults: list[Fault] = []
    seen: set[str] = set()
    for index, tensor in enumerate(inputs):
        if tensor.name in seen:
            faults.append(Fault(f"inputs[{index}]", f"input {tensor.name!r} is given twice"))
        seen.add(tensor.name)
        faults.extend(_shape_faults(tensor))
    if not inputs:
        faults.append(Fault("inputs", "expected at least one input, found none"))
    if faults:
        raise InvalidInput(SUBJECT, faults)


def _shape_faults(tensor: InputTensor) -> Iterable[Fault]:
    """Faults of the shape; data that is nested as its shape says is laid flat."""
    shape, data = tensor.shape, tensor.data
    if len(shape) > 1 and data and isinstance(data[0], list):
        flat = _flatten(data, shape)
        if flat is None:
            return [Fault(tensor.name, f"the nesting of its data does not fit its shape {shape}")]
        tensor.data = data = flat
    size = 1
    for length in shape:
        if length < 0:
            return [Fault(tensor.name, f"shape {shape}: lengths cannot be negative")]
        size *= length
    if size != len(data) or not shape:
        return [Fault(tensor.name, f"shape {shape} holds {size if shape else 'no'} values, its data has {len(data)}")]
    return ()


def _flatten(data: list[Any], shape: list[int]) -> list[Any] | None:
    if len(data) != shape[0]:
        return None
    for length in shape[1:]:
        if any(not isinstance(item, list) or len(item) != length for item in data):
            return None
        data = [value for item in data for value in item]
    return data
