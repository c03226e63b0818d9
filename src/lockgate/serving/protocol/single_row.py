"""The quick way for what most requests are: one row, one value for each input, in the order of the signature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lockgate.embedded import single_row
from lockgate.embedded.single_row import Feeds
from lockgate.serving.protocol.column import Column
from lockgate.serving.protocol.requests import InputTensor


class SingleRow(single_row.SingleRow):
    """`tensors` and `instance` give None for whatever is not as they expect."""

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        expected = zip(columns, self._numbers, strict=False)  # there are no numbers where no row can go the quick way
        self._expected = [(column.name, column.datatype.name, [1, *column.tail], number) for column, number in expected]

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
