"""Inference answers as protobuf messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lockgate.embedded.datatypes import Array, Datatype
from lockgate.kernel.errors import Invalid
from lockgate.serving.grpc.contents import FIELDS
from lockgate.serving.grpc.messages import INFERENCE
from lockgate.serving.grpc.requests import MessageRequest
from lockgate.serving.protocol.answers import Encoder, Headers, Parameters
from lockgate.serving.protocol.binary import bytes_of
from lockgate.serving.protocol.requests import InferenceRequest

PROTOBUF = "application/grpc"
_HEADERS: Headers = [("content-type", PROTOBUF)]
_Response = INFERENCE["ModelInferResponse"]


class MessageEncoder(Encoder):
    """All outputs of a signature, as a serialized ModelInferResponse."""

    def answer(
        self,
        request: InferenceRequest,
        outputs: Sequence[Array],
        scores: Sequence[float],  # noqa: ARG002 - a message has no answer without tensors
        *,
        model_name: str,
        model_version: str,
        id: str,  # noqa: A002 - the protocol's word
        parameters: Parameters,
    ) -> tuple[Headers, bytes]:
        """Bytes for who sent bytes, and wherever a datatype has no field; else values.

        Raises:
            Invalid: an output is not of its datatype: the model's fault.
        """
        message = _Response(model_name=model_name, model_version=model_version, id=id)
        _tell(message.parameters, parameters)
        wanted = [(plain[0], datatype, array) for plain, datatype, array, _ in self._wanted(request, outputs)]
        raw = _is_raw(request) or any(datatype.name not in FIELDS for _, datatype, _ in wanted)
        for name, datatype, array in wanted:
            tensor = message.outputs.add(name=name, datatype=datatype.name, shape=array.shape)
            try:
                if raw:
                    message.raw_output_contents.append(bytes_of(array, datatype))
                else:
                    getattr(tensor.contents, FIELDS[datatype.name]).extend(_values(array, datatype))
            except ValueError as error:
                raise Invalid(f"output {name!r}: {error}") from error
        return _HEADERS, message.SerializeToString()


def _is_raw(request: InferenceRequest) -> bool:
    return isinstance(request, MessageRequest) and request.raw


def _tell(told: Any, parameters: Parameters) -> None:
    if parameters.prediction_id is not None:
        told["prediction_id"].string_param = parameters.prediction_id
    if parameters.prediction_ids is not None:  # a parameter here is one value
        told["prediction_ids"].string_param = ",".join(parameters.prediction_ids)
    if parameters.fallback:
        told["fallback"].bool_param = True


def _values(array: Array, datatype: Datatype) -> list[Any]:
    """Raises ValueError if the array is not of the datatype."""
    values: list[Any]
    if datatype.kind != "bytes":
        if array.dtype.kind != datatype.dtype.kind:
            raise ValueError(f"the model gave {array.dtype}, its signature says {datatype.name}")
        values = array.astype(datatype.dtype, copy=False).ravel().tolist()
        return values
    values = array.ravel().tolist()
    for value in values:
        if not isinstance(value, str | bytes):
            raise ValueError(f"the model gave {type(value).__name__}, its signature says BYTES")  # noqa: TRY004 - as above
    return [value.encode() if isinstance(value, str) else value for value in values]
