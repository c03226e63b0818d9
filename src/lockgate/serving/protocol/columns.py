"""Requests by a model's signature: from the values of a request to the arrays that the runtime takes, every value checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from lockgate.boundary.manifest import Signature
from lockgate.embedded.datatypes import Array
from lockgate.kernel.errors import Fault, Invalid
from lockgate.serving.protocol.binary import check_wanted, element_of, tensor_of
from lockgate.serving.protocol.column import Column
from lockgate.serving.protocol.requests import (
    InferenceRequest,
    InputTensor,
    MatrixRequest,
    RawRequest,
    TableRequest,
    refused,
    shown,
)
from lockgate.serving.protocol.single_row import SingleRow

_UNNAMED = ("", "Unnamed: 0", "__index_level_0__")  # what pandas calls an index that nobody named


class Batch(msgspec.Struct, gc=False):
    """The rows of one request as the runtime takes them; `values` are what the record keeps, made when it is written."""

    rows: int
    feeds: dict[str, Array]
    kept: Sequence[InputTensor] | Mapping[str, Any]
    names: tuple[str, ...]

    @property
    def values(self) -> dict[str, list[Any]]:
        """Each input's values as they came, flat, in the order of the signature."""
        if isinstance(self.kept, Mapping):
            return {name: _listed(self.kept[name]) for name in self.names}
        return {tensor.name: tensor.data for tensor in self.kept}


class Decoder:
    """All inputs of a signature. text: the model takes strings only; else BYTES that are not UTF-8 reach it as bytes."""

    def __init__(self, signature: Signature, *, text: bool = True) -> None:
        if not signature.inputs:
            raise Invalid("the signature has no inputs")
        self.columns = tuple(Column(tensor, text=text) for tensor in signature.inputs)
        self.names = tuple(column.name for column in self.columns)
        self._inputs = frozenset(self.names)
        self._outputs = frozenset(tensor.name for tensor in signature.outputs)
        self._single = SingleRow(self.columns)

    def decode(self, request: InferenceRequest) -> Batch:
        """The rows of a request.

        Raises:
            InvalidInput: they do not fit the signature; each fault names its input.
        """
        if request.outputs is not None or request.parameters is not None:
            check_wanted(request, self._outputs)
        if request.inputs is not msgspec.UNSET:
            feeds = self._single.tensors(request.inputs)
            return Batch(1, feeds, request.inputs, self.names) if feeds else self._from_tensors(request.inputs)
        if request.instances is not msgspec.UNSET:
            return self._from_rows(request.instances)
        if isinstance(request, MatrixRequest):
            return self._from_matrix(request.data)
        if isinstance(request, RawRequest):
            return self._from_bytes(request.content)
        assert isinstance(request, TableRequest)  # noqa: S101 - there is no other
        return self._from_table(request.columns, request.rows, text=request.text)

    def decode_columns(self, values: Mapping[str, list[Any]]) -> Batch:
        """Rows given as columns of values, flat or nested, as golden rows are kept.

        Raises:
            InvalidInput: they do not fit the signature.
        """
        self._check_names(values.keys())
        first = self.columns[0]
        width = None if _is_nested(first, values[first.name]) else first.width
        rows = len(values[first.name]) // (width or 1)
        return self._from_columns(values, lambda column, data: _golden(column, data, rows), rows)

    def _from_tensors(self, inputs: Sequence[InputTensor]) -> Batch:
        given = {tensor.name: tensor for tensor in inputs}
        if len(given) != len(inputs):
            _refuse_twice(inputs)
        self._check_names(given.keys())
        rows = inputs[0].shape[0] if inputs[0].shape else 0
        if rows < 1:
            raise refused([Fault(inputs[0].name, f"shape {shown(inputs[0].shape)} found, at least one row expected")])
        return self._from_columns(given, lambda column, tensor: column.tensor(tensor, rows), rows)

    def _from_rows(self, instances: list[dict[str, Any]]) -> Batch:
        for index, row in enumerate(instances):
            if row.keys() != self._inputs:
                self._check_names(row.keys(), f"instances[{index}].")
        if len(instances) == 1 and (feeds := self._single.instance(instances[0])):
            return Batch(1, feeds, instances[0], self.names)
        columns = {name: [row[name] for row in instances] for name in self.names}
        return self._from_columns(columns, lambda column, cells: column.cells(cells), len(instances))

    def _from_table(self, table: Mapping[str, Any], rows: int, *, text: bool = False) -> Batch:
        if not rows:
            raise refused([Fault("", "expected at least one row, found none")])
        known = {name: cells for name, cells in table.items() if name in self._inputs or name not in _UNNAMED}
        self._check_names(known.keys())
        return self._from_columns(known, lambda column, cells: column.cells(cells, text=text), rows)

    def _from_matrix(self, data: list[Any]) -> Batch:
        """Rows whose cells stand in the order of the signature; the rows themselves, if there is one input."""
        if len(self.columns) == 1:
            return self._from_table({self.names[0]: data}, len(data))
        width = len(self.columns)
        wrong = (
            Fault(f"[{index}]", f"expected a list of {width} values, one for each input")
            for index, row in enumerate(data)
            if not isinstance(row, list) or len(row) != width
        )
        if first := next(wrong, None):
            raise refused([first])
        return self._from_table({name: [row[place] for row in data] for place, name in enumerate(self.names)}, len(data))

    def _from_bytes(self, content: memoryview) -> Batch:
        """The whole body as the only input; if that is BYTES, as its one element."""
        column = self.columns[0]
        if len(self.columns) > 1 or column.width is None:
            raise refused([Fault("inputs", "only a model with one input of a known width takes a body without JSON")])
        told = column.datatype.name
        try:
            data = [element_of(bytes(content))] if column.datatype.wire is None else tensor_of(content, told)
        except ValueError as error:
            raise refused([Fault(column.name, str(error))]) from error
        return self._from_tensors([InputTensor(column.name, [len(data) // column.width, *column.tail], told, data)])

    def _from_columns(self, given: Mapping[str, Any], read: Callable[[Column, Any], tuple[Array, Any]], rows: int) -> Batch:
        """read: makes a column's array, and says which values are kept; raises ValueError."""
        faults = []
        feeds: dict[str, Array] = {}
        kept: dict[str, Any] = {}
        for column in self.columns:
            try:
                array, kept[column.name] = read(column, given[column.name])
            except ValueError as error:
                faults.append(Fault(column.name, str(error)))
                continue
            feeds[column.name] = array
            if len(array) != rows:
                faults.append(Fault(column.name, f"has {len(array)} rows, {rows} expected"))
        if faults:
            raise refused(faults)
        return Batch(rows, feeds, kept, self.names)

    def _check_names(self, names: Collection[str], prefix: str = "") -> None:
        if names == self._inputs:
            return
        missing = (Fault(prefix + name, "this input is missing") for name in self.names if name not in names)
        expected = ", ".join(self.names)
        unknown = (Fault(prefix + name[:80], f"unknown input; expected {expected}") for name in names if name not in self._inputs)
        raise refused(chain(missing, unknown))


def _is_nested(column: Column, data: list[Any]) -> bool:
    return column.width is None or bool(data and isinstance(data[0], list))


def _golden(column: Column, data: list[Any], rows: int) -> tuple[Array, Any]:
    return column.cells(data) if _is_nested(column, data) else (column.array(data, (rows, *column.tail)), data)


def _refuse_twice(inputs: Sequence[InputTensor]) -> None:
    seen: set[str] = set()
    faults = []
    for index, tensor in enumerate(inputs):
        if tensor.name in seen:
            faults.append(Fault(f"inputs[{index}]", f"input {tensor.name[:80]!r} is given twice"))
        seen.add(tensor.name)
    raise refused(faults)


def _listed(values: Any) -> list[Any]:
    if isinstance(values, list):
        return values
    return values.ravel().tolist() if isinstance(values, np.ndarray) else [values]
