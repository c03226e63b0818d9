"""The quick way for what most requests are: one row, one value for each input, in the order of the signature.

Inputs of one datatype become one array, of which each gets a slice: that costs half of an array for each. Whatever is otherwise
than expected is left to the thorough way, which says what is wrong, and where.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lockgate.serving.protocol.column import Column
from lockgate.serving.protocol.datatypes import Array, Datatype
from lockgate.serving.protocol.requests import InputTensor
from lockgate.serving.protocol.values import READERS

Feeds = dict[str, Array]
_Reader = Callable[[Sequence[Any], Datatype], Array]


class SingleRow:
    """`tensors` and `instance` give None for whatever is not as they expect."""

    def __init__(self, columns: Sequence[Column]) -> None:
        # Plain tuples, because Python unpacks them quicker than named ones.
        self._groups: list[tuple[_Reader, Datatype, tuple[int, ...], list[str]]] = []
        self._expected: list[tuple[str, str, list[int], int]] = []  # name, datatype, shape, number of the group
        if all(column.tail in ((), (1,)) and column.rows in (-1, 1) for column in columns):
            self._expected = [self._grouped(column) for column in columns]

    def _grouped(self, column: Column) -> tuple[str, str, list[int], int]:
        datatype, shape = column.datatype, (1, *column.tail)
        for number, (_, other, of_all, names) in enumerate(self._groups):
            if other is datatype and of_all == shape:
                names.append(column.name)
                return column.name, datatype.name, list(shape), number
        self._groups.append((READERS[datatype.kind], datatype, shape, [column.name]))
        return column.name, datatype.name, list(shape), len(self._groups) - 1

    def tensors(self, inputs: Sequence[InputTensor]) -> Feeds | None:
        if len(inputs) != len(self._expected):
            return None
        groups: list[list[Any]] = [[] for _ in self._groups]
        for tensor, (name, datatype, shape, group) in zip(inputs, self._expected):  # noqa: B905 - they are; the word takes time
            data = tensor.data
            if tensor.name != name or tensor.datatype != datatype or tensor.shape != shape or len(data) != 1:
                return None
            groups[group].append(data[0])
        return self._feeds(groups)

    def instance(self, row: dict[str, Any]) -> Feeds | None:
        """row: has all inputs and no more."""
        return self._feeds([[row[name] for name in names] for _, _, _, names in self._groups])

    def _feeds(self, groups: list[list[Any]]) -> Feeds | None:
        feeds: Feeds = {}
        try:
            for (read, datatype, shape, names), values in zip(self._groups, groups):  # noqa: B905 - as above
                feeds.update(zip(names, read(values, datatype).reshape(len(names), *shape)))  # noqa: B905 - as above
        except ValueError:
            return None
        return feeds or None
