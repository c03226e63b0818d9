"""Inference answers, in the form that the request asks for: tensors as JSON or bytes, scores for rows, predictions, or Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from lockgate.boundary.manifest import Signature
from lockgate.embedded.datatypes import Array, Datatype, datatype_of
from lockgate.kernel.errors import Fault, Invalid
from lockgate.serving.protocol import arrow
from lockgate.serving.protocol.binary import ALL_WANTED, LENGTH_HEADER, SIZE, WANTED, bytes_of
from lockgate.serving.protocol.problems import JSON
from lockgate.serving.protocol.requests import Form, FormedRequest, InferenceRequest, refused

Headers = list[tuple[str, str]]
_BYTES = ("content-type", "application/octet-stream")
_ARROW: Headers = [("content-type", arrow.STREAM)]


class OutputTensor(msgspec.Struct, gc=False):
    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]


class BinaryOutput(msgspec.Struct, gc=False):
    """The tensor's bytes follow the JSON; `parameters` say how many they are."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: dict[str, int]


class Parameters(msgspec.Struct, omit_defaults=True, gc=False):
    """`fallback`: the version that was assigned failed, and the champion answered in its place."""

    prediction_id: str | None = None
    prediction_ids: Sequence[str] | None = None
    fallback: bool = False


class InferenceAnswer(msgspec.Struct, gc=False):
    model_name: str
    model_version: str
    id: str
    parameters: Parameters
    outputs: Sequence[OutputTensor | BinaryOutput]


class RowsAnswer(msgspec.Struct, gc=False):
    predictions: Sequence[Any]
    model_name: str
    model_version: str
    id: str
    parameters: Parameters


_TEXT: frozenset[type] = frozenset({str})
_OWN = Form.OWN  # looking a member up in its class costs a tenth of an answer
_encode = msgspec.json.Encoder().encode


class Encoder:
    """All outputs of a signature."""

    def __init__(self, signature: Signature) -> None:
        self._datatypes = [datatype_of("output", tensor) for tensor in signature.outputs]
        self._places = {tensor.name: place for place, tensor in enumerate(signature.outputs)}
        self._plain = [(tensor.name, tensor.datatype, tensor.datatype == "BYTES") for tensor in signature.outputs]

    def answer(
        self,
        request: InferenceRequest,
        outputs: Sequence[Array],
        scores: Sequence[float],
        *,
        model_name: str,
        model_version: str,
        id: str,  # noqa: A002 - the protocol's word
        parameters: Parameters,
    ) -> tuple[Headers, bytes]:
        """Headers and body. outputs: one array for each output of the signature. scores: one for each row.

        Raises:
            InvalidInput: the form that was asked for cannot hold an output: the caller's fault.
            Invalid: an output is not of its datatype: the model's fault.
        """
        frame = InferenceAnswer(model_name, model_version, id, parameters, ())
        if isinstance(request, FormedRequest) and request.form is not _OWN:
            return self._formed(request, outputs, frame)
        if request.inputs is msgspec.UNSET:
            return JSON, _encode(RowsAnswer(scores, model_name, model_version, id, parameters))
        if request.outputs is not None or request.parameters is not None:
            return self._selected(request, outputs, frame)
        frame.outputs = [
            OutputTensor(name, datatype, array.shape, _texts(name, array) if text else array.ravel().tolist())
            for (name, datatype, text), array in zip(self._plain, outputs)  # noqa: B905 - they are; the word takes time
        ]
        return JSON, _encode(frame)

    def _formed(self, request: FormedRequest, outputs: Sequence[Array], frame: InferenceAnswer) -> tuple[Headers, bytes]:
        if request.form is Form.ARROW:
            return _ARROW, self._table(request, outputs, frame)
        if request.form is Form.SCORING:
            predictions = self._predictions(outputs)
            return JSON, _encode(RowsAnswer(predictions, frame.model_name, frame.model_version, frame.id, frame.parameters))
        return self._selected(request, outputs, frame)

    def _selected(self, request: InferenceRequest, outputs: Sequence[Array], frame: InferenceAnswer) -> tuple[Headers, bytes]:
        """Those outputs that were asked for, in the order in which they were, each as JSON or as bytes."""
        tensors: list[OutputTensor | BinaryOutput] = []
        behind: list[bytes] = []
        for (name, told, _), datatype, array, binary in self._wanted(request, outputs):
            if binary:
                behind.append(_bytes(name, array, datatype))
                tensors.append(BinaryOutput(name, told, array.shape, {SIZE: len(behind[-1])}))
            else:
                data = _texts(name, array) if datatype.kind == "bytes" else array.ravel().tolist()
                tensors.append(OutputTensor(name, told, array.shape, data))
        frame.outputs = tensors
        head = _encode(frame)
        if not behind:
            return JSON, head
        return [_BYTES, (LENGTH_HEADER, str(len(head)))], b"".join([head, *behind])

    def _wanted(self, request: InferenceRequest, outputs: Sequence[Array]) -> Iterator[tuple[Any, Datatype, Array, bool]]:
        given = (request.parameters or {}).get(ALL_WANTED, False)
        every = bool(given) or (isinstance(request, FormedRequest) and request.form is Form.BINARY)
        if request.outputs is None:
            for plain, datatype, array in zip(self._plain, self._datatypes, outputs, strict=True):
                yield plain, datatype, array, every
            return
        for output in request.outputs:
            place = self._places[output.name]
            binary = bool((output.parameters or {}).get(WANTED, every))
            yield self._plain[place], self._datatypes[place], outputs[place], binary

    def _table(self, request: InferenceRequest, outputs: Sequence[Array], frame: InferenceAnswer) -> bytes:
        ids = frame.parameters.prediction_ids or (frame.parameters.prediction_id or "",)
        told = {"model_name": frame.model_name, "model_version": frame.model_version, "id": frame.id}
        if frame.parameters.fallback:
            told["fallback"] = "true"
        columns = {name: array for (name, _, _), _, array, _ in self._wanted(request, outputs)}
        try:
            return arrow.write(columns, ids, told)
        except ValueError as error:
            raise Invalid(f"an output is no column: {error}") from error

    def _predictions(self, outputs: Sequence[Array]) -> list[Any]:
        """The values of the only output; of several, a record for each row, as a data frame is written."""
        named = [(name, _rows(name, array, text=text)) for (name, _, text), array in zip(self._plain, outputs, strict=True)]
        if len(named) == 1:
            return named[0][1]
        names = [name for name, _ in named]
        return [dict(zip(names, cells, strict=True)) for cells in zip(*(rows for _, rows in named), strict=True)]


def _rows(name: str, array: Array, *, text: bool) -> list[Any]:
    """One value, or nested list, for each row."""
    if text:
        array = np.array(_texts(name, array), object).reshape(array.shape)
    rows: list[Any] = (array.reshape(-1) if array.shape[1:] == (1,) else array).tolist()
    return rows


def _texts(name: str, array: Array) -> list[Any]:
    values: list[Any] = array.ravel().tolist()
    if _TEXT.issuperset(map(type, values)):
        return values
    try:
        return [value if isinstance(value, str) else value.decode() for value in values]
    except UnicodeDecodeError as error:
        fault = Fault("outputs", f"output {name!r} holds bytes that are not UTF-8, which JSON cannot hold")
        raise refused([fault], hint='Ask for them as bytes: "parameters": {"binary_data": true}.') from error
    except AttributeError as error:
        raise Invalid(f"output {name!r}: the model gave {array.dtype}, its signature says BYTES") from error


def _bytes(name: str, array: Array, datatype: Datatype) -> bytes:
    try:
        return bytes_of(array, datatype)
    except ValueError as error:
        raise Invalid(f"output {name!r}: {error}") from error
