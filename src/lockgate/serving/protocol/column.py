"""One input of a signature, as the Open Inference Protocol sends it: which datatypes, shapes and data fit it."""

from __future__ import annotations

from math import prod
from typing import Any

from lockgate.boundary.manifest import Tensor
from lockgate.embedded import column
from lockgate.embedded.column import flattened
from lockgate.embedded.datatypes import Array
from lockgate.serving.protocol.requests import ABSENT, InputTensor, shown


class Column(column.Column):
    """What it takes beside a tensor, such as a table's cells, is told below."""

    def __init__(self, tensor: Tensor, *, text: bool = True) -> None:
        super().__init__(tensor, text=text)
        self._tail = list(self.tail)

    def form_fault(self, given: InputTensor, rows: int) -> str | None:
        """What is wrong with the datatype or the shape; None if nothing is."""
        shape, data = given.shape, given.data
        if given.datatype != self.datatype.name:
            return f"datatype {given.datatype[:40]!r} found, {self.datatype.name!r} expected"
        if shape[1:] != self._tail and not (self.width is None and self.fits(shape[1:])):
            expected = ", ".join(["rows", *("any" if length == -1 else str(length) for length in self.tail)])
            return f"shape {shown(shape)} found, [{expected}] expected"
        if not shape or shape[0] != rows:
            return f"has {shape[0] if shape else 'no'} rows, the first input has {rows}"
        if self.rows not in (-1, rows):
            return f"has {rows} rows, {self.rows} expected"
        return self._data_fault(shape, data)

    def _data_fault(self, shape: list[int], data: Any) -> str | None:
        if isinstance(data, list) and data and isinstance(data[0], list):
            return None  # whether the nesting fits is seen when it is laid flat
        if data is ABSENT:
            return "has no data"
        size = len(data)
        return None if size == prod(shape) else f"shape {shown(shape)} holds {prod(shape)} values, its data has {size}"

    def tensor(self, given: InputTensor, rows: int) -> tuple[Array, Any]:
        """The array of a tensor that should have so many rows, and its values as they are kept: flat.

        Raises:
            ValueError: its form is wrong, or a value is not of the datatype; the message says which row.
        """
        if fault := self.form_fault(given, rows):
            raise ValueError(fault)
        data: Any = given.data
        shape = tuple(given.shape)
        if isinstance(data, list) and data and isinstance(data[0], list):
            data = flattened(data, shape)
        return self.array(data, shape), data
