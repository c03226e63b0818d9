"""Inference requests that came as protobuf messages, as the core takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lockgate.embedded.datatypes import DATATYPES
from lockgate.kernel.errors import Fault
from lockgate.serving.grpc.bounds import MOST_TENSORS
from lockgate.serving.grpc.contents import FIELDS
from lockgate.serving.protocol.binary import SIZE, tensor_of
from lockgate.serving.protocol.requests import ABSENT, InferenceRequest, InputTensor, RequestedOutput, refused

_MOST_LENGTHS = 64  # of one shape: more than anything here can hold
_ELSEWHERE = "shared_memory_region"  # where Triton's extension says that the data of a tensor are
_RAW = "raw_input_contents"


class MessageRequest(InferenceRequest, gc=False, kw_only=True):
    """raw: whether the inputs came as bytes, and the outputs are to go as bytes."""

    raw: bool = False


def request_of(message: Any) -> MessageRequest:
    """The request that a ModelInferRequest is.

    Raises:
        InvalidInput: its contents are not what its datatypes say; names every field at fault.
    """
    raw, inputs = message.raw_input_contents, message.inputs
    if len(inputs) + len(message.outputs) > MOST_TENSORS:
        raise refused([Fault("inputs", f"more than {MOST_TENSORS} inputs and outputs found")])
    if raw and len(raw) != len(inputs):
        raise refused([Fault(_RAW, f"{len(raw)} found, one for each of the {len(inputs)} inputs expected")])
    tensors, faults = [], []
    for index, tensor in enumerate(inputs):
        try:
            data = _raw(tensor, raw[index]) if raw else _typed(tensor)
        except ValueError as error:
            faults.append(Fault(tensor.name[:80] or f"inputs[{index}]", str(error)))
            continue
        tensors.append(InputTensor(tensor.name, list(tensor.shape), tensor.datatype, data))
    if faults:
        raise refused(faults)
    return MessageRequest(
        inputs=tensors,
        id=message.id or None,
        outputs=[RequestedOutput(one.name, _parameters(one.parameters)) for one in message.outputs] or None,
        parameters=_parameters(message.parameters),
        raw=bool(raw),
    )


def _raw(tensor: Any, content: bytes) -> Any:
    """Raises ValueError if the bytes are not what the datatype says, or the values stand in two places."""
    _check(tensor)
    if tensor.HasField("contents"):
        raise ValueError(f"has contents, and {_RAW} too; expected one of them")
    try:
        data = tensor_of(memoryview(content), tensor.datatype)
    except ValueError as error:
        raise ValueError(str(error).removeprefix(f"{SIZE}: ")) from error
    return data.tolist() if len(data) == 1 and not isinstance(data, list) else data  # one value is quicker as itself


def _typed(tensor: Any) -> Any:
    """Raises ValueError if values stand in another field than the datatype's."""
    _check(tensor)
    if not tensor.HasField("contents"):
        return ABSENT
    name = FIELDS.get(tensor.datatype)
    if name is None:
        if tensor.datatype in DATATYPES:
            raise ValueError(f"{tensor.datatype} has no field for its values; send {_RAW}")
        return ABSENT  # whether there is such a datatype is checked where the model is known
    given = [field.name for field, _ in tensor.contents.ListFields()]
    if given not in ([], [name]):
        raise ValueError(f"{', '.join(given)} found, {name} expected for {tensor.datatype}")
    values = getattr(tensor.contents, name)
    return _texts(values) if name == "bytes_contents" else list(values)


def _texts(values: Sequence[bytes]) -> list[str] | list[bytes]:
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError:
        return list(values)


def _check(tensor: Any) -> None:
    if len(tensor.shape) > _MOST_LENGTHS:
        raise ValueError(f"a shape of {len(tensor.shape)} lengths found, at most {_MOST_LENGTHS} expected")
    if _ELSEWHERE in tensor.parameters:
        raise ValueError("shared memory is not spoken here; send the values")


def _parameters(given: Any) -> dict[str, Any] | None:
    if not given:
        return None
    return {name: getattr(value, value.WhichOneof("parameter_choice") or "", None) for name, value in given.items()}
