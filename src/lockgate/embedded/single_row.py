"""The quick way for what is asked most often: one row, one value for each input.

Inputs of one datatype become one array, of which each gets a slice: that costs half of an array for each. Whatever is otherwise
than expected is left to the thorough way, which says what is wrong, and where.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.embedded.column import Column
from lockgate.embedded.datatypes import Array, Datatype
from lockgate.embedded.values import READERS, BadValue

Feeds = dict[str, Array]
_Reader = Callable[[Sequence[Any], Datatype], Array]
_TEXT = frozenset({str})


class SingleRow:
    """Gives None for whatever is not as it expects."""

    def __init__(self, columns: Sequence[Column]) -> None:
        # Plain tuples, because Python unpacks them quicker than named ones.
        self._groups: list[tuple[_Reader, Datatype, tuple[int, ...], list[str]]] = []
        self._numbers: list[int] = []  # of the columns' groups
        if all(column.tail in ((), (1,)) and column.rows in (-1, 1) for column in columns):
            self._numbers = [self._grouped(column) for column in columns]

    def _grouped(self, column: Column) -> int:
        datatype, shape = column.datatype, (1, *column.tail)
        for number, (_, other, of_all, names) in enumerate(self._groups):
            if other is datatype and of_all == shape:
                names.append(column.name)
                return number
        reader = _texts if datatype.kind == "bytes" else READERS[datatype.kind]
        self._groups.append((reader, datatype, shape, [column.name]))
        return len(self._groups) - 1

    def instance(self, row: Mapping[str, Any]) -> Feeds | None:
        """row: has all inputs and no more."""
        return self._feeds([[row[name] for name in names] for _, _, _, names in self._groups])

    def _feeds(self, groups: list[list[Any]]) -> Feeds | None:
        feeds: Feeds = {}
        try:
            for (read, datatype, shape, names), values in zip(self._groups, groups):  # noqa: B905 - they are; the word takes time
                feeds.update(zip(names, read(values, datatype).reshape(len(names), *shape)))  # noqa: B905 - as above
        except ValueError:
            return None
        return feeds or None


def _texts(values: Sequence[Any], datatype: Datatype) -> Array:
    """Strings and nothing else: whether a model takes bytes is its column's to say."""
    if not _TEXT.issuperset(map(type, values)):
        raise BadValue(0, "not text")
    return np.array(values, datatype.dtype)
