"""One input of a signature: which shapes fit it, and its values as the array that the runtime takes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from lockgate.embedded.datatypes import Array, datatype_of
from lockgate.embedded.signature import Tensor
from lockgate.embedded.values import BadValue, cast, from_text, read
from lockgate.kernel.errors import Invalid

_NOT_TEXT = "these bytes are not UTF-8, and this model takes text"


class Column:
    """text: the model takes strings only; else BYTES that are not UTF-8 reach it as bytes.

    width: how many values a row has; None if its shape is free.
    """

    def __init__(self, tensor: Tensor, *, text: bool = True) -> None:
        self.name = tensor.name
        self.datatype = datatype_of("input", tensor)
        self.tail = tuple(tensor.shape[1:])
        self.width = None if -1 in self.tail else prod(self.tail)
        if not tensor.shape or any(length < 1 and length != -1 for length in tensor.shape):
            shape = list(tensor.shape)
            raise Invalid(f"input {tensor.name!r} has shape {shape}; expected rows first, then lengths, or -1 for any length")
        self.rows = tensor.shape[0]  # -1: as many as come
        self._text = text

    def fits(self, lengths: Sequence[int]) -> bool:
        """Whether a shape fits one that is free in places."""
        return len(lengths) == len(self.tail) and all(
            length == expected or (expected == -1 and length > 0) for expected, length in zip(self.tail, lengths, strict=True)
        )

    def array(self, data: Sequence[Any] | Array, shape: tuple[int, ...] | None = None) -> Array:
        """Flat values, or an array, as an array of this column's shape, or of the one that is given.

        Raises:
            ValueError: as above.
        """
        shape = shape or (-1, *self.tail)
        try:
            flat = cast(data, self.datatype) if isinstance(data, np.ndarray) else read(data, self.datatype)
        except BadValue as error:
            raise ValueError(f"row {self._row(error.index, len(data), shape)}: {error}") from error
        if self._text and self.datatype.kind == "bytes" and flat.size and isinstance(flat[0], bytes):
            raise ValueError(f"row {self._row(_undecodable(flat), flat.size, shape)}: {_NOT_TEXT}")
        return flat.reshape(shape)

    def cells(self, cells: Any, *, text: bool = False) -> tuple[Array, Any]:
        """One cell for each row: a value, or a list as the shape of one row says. text: each is a string from a CSV file.

        Raises:
            ValueError: as above.
        """
        if isinstance(cells, np.ndarray):
            return self._of_array(cells), cells
        if text:
            return self._of_text(cells)
        if not cells:
            raise ValueError("has no rows")
        if self.tail in ((), (1,)) and not isinstance(cells[0], list):
            return self.array(cells), cells
        shape = self._shape_of(cells)
        flat = flattened(cells, shape)
        return self.array(flat, shape), flat

    def _of_array(self, array: Array) -> Array:
        shape = array.shape if array.ndim != 1 else (*array.shape, *(1 for _ in self.tail))
        if not self.fits(shape[1:]):
            raise ValueError(f"shape {list(array.shape)} found, {['rows', *self.tail]} expected")
        return self.array(array, shape)

    def _of_text(self, cells: Sequence[str]) -> tuple[Array, list[Any]]:
        if self.width != 1:
            raise ValueError("a cell of text holds one value, and this input needs more")
        try:
            values = from_text(cells, self.datatype)
        except BadValue as error:
            raise ValueError(f"row {error.index}: {error}") from error
        return self.array(values, (len(cells), *self.tail)), values

    def _shape_of(self, cells: Sequence[Any]) -> tuple[int, ...]:
        """The shape that the first row has, if it is one that fits."""
        lengths = []
        cell = cells[0]
        for expected in self.tail:
            if not isinstance(cell, list) or not cell or expected not in (-1, len(cell)):
                raise ValueError(f"row 0: expected a list of {'one or more' if expected == -1 else expected} values")
            lengths.append(len(cell))
            cell = cell[0]
        return (len(cells), *lengths)

    def _row(self, index: int, size: int, shape: tuple[int, ...]) -> int:
        rows = shape[0] if shape[0] > 0 else size // (self.width or 1)
        return index * rows // size if size else 0


def flattened(data: Sequence[Any], shape: tuple[int, ...]) -> Sequence[Any]:
    """Nested lists laid flat.

    Raises:
        ValueError: they are not nested as the shape says.
    """
    if len(data) != shape[0]:
        raise ValueError(f"the nesting of its data does not fit its shape {list(shape)}")
    for depth, length in enumerate(shape[1:], 1):
        for index, item in enumerate(data):
            if not isinstance(item, list) or len(item) != length:
                row = index // max(prod(shape[1:depth]), 1)
                raise ValueError(f"row {row}: the nesting of its data does not fit its shape {list(shape)}")
        data = [value for item in data for value in item]
    return data


def _undecodable(flat: Array) -> int:
    for index, item in enumerate(flat):
        try:
            item.decode()
        except UnicodeDecodeError:
            return index
    return 0
