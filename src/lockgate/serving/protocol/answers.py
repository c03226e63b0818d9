"""Inference answers: output tensors as the Open Inference Protocol v2 writes them, or scores for those who sent rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lockgate.boundary.manifest import Signature
from lockgate.serving.protocol.columns import Array, check_datatype
from lockgate.serving.protocol.requests import InferenceRequest


class OutputTensor(msgspec.Struct):
    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]


class Parameters(msgspec.Struct, omit_defaults=True):
    """`fallback`: the version that was assigned failed, and the champion answered in its place."""

    prediction_id: str | None = None
    prediction_ids: Sequence[str] | None = None
    fallback: bool = False


class InferenceAnswer(msgspec.Struct):
    model_name: str
    model_version: str
    id: str
    parameters: Parameters
    outputs: list[OutputTensor]


class RowsAnswer(msgspec.Struct):
    predictions: list[float]
    model_name: str
    model_version: str
    id: str
    parameters: Parameters


_encoder = msgspec.json.Encoder()


class Encoder:
    """All outputs of a signature."""

    def __init__(self, signature: Signature) -> None:
        for tensor in signature.outputs:
            check_datatype("output", tensor)
        self._outputs = signature.outputs

    def encode(
        self,
        request: InferenceRequest,
        outputs: Sequence[Array],
        scores: Sequence[float],
        **frame: Any,
    ) -> bytes:
        """The body of the answer; `frame` holds model_name, model_version, id and parameters."""
        if request.inputs is msgspec.UNSET:
            return _encoder.encode(RowsAnswer(predictions=list(scores), **frame))
        wanted = None if request.outputs is None else {output.name for output in request.outputs}
        tensors = [
            OutputTensor(tensor.name, tensor.datatype, array.shape, array.ravel().tolist())
            for tensor, array in zip(self._outputs, outputs, strict=True)
            if wanted is None or tensor.name in wanted
        ]
        return _encoder.encode(InferenceAnswer(outputs=tensors, **frame))
