"""Held-out examples cut into slices: by the values of one column, and of each pair of columns.

Numbers are cut at their quantiles, texts by value; values that few examples have make no slice of their own. Every column is kept
as codes, so that the sums of a slice are one pass over the examples, whichever columns it is made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

MOST_COLUMNS = 30  # 435 pairs
_BINS = 5  # quantiles of a number
_VALUES = 40  # of a text, the most frequent
_FEW_NUMBERS = 8  # different numbers that are taken as values


@dataclass(frozen=True, slots=True)
class Column:
    """codes: of each example, the place of its value in `values`; -1: it belongs to none."""

    name: str
    values: tuple[str, ...]
    codes: Codes


@dataclass(frozen=True, slots=True)
class Cell:
    """A slice: one value of each of one or two columns."""

    columns: tuple[Column, ...]
    places: tuple[int, ...]

    @property
    def name(self) -> str:
        return " and ".join(f"{one.name} {one.values[place]}" for one, place in zip(self.columns, self.places, strict=True))

    def shares(self, other: Cell) -> bool:
        """Whether both are made of the same value of some column, so that the one may be the other once more."""
        ours, theirs = (
            {(column.name, place) for column, place in zip(one.columns, one.places, strict=True)} for one in (self, other)
        )
        return not ours.isdisjoint(theirs)

    def holds(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of these examples belong to it."""
        within = [one.codes[rows] == place for one, place in zip(self.columns, self.places, strict=True)]
        return np.asarray(np.logical_and.reduce(within), dtype=bool)


@dataclass(frozen=True, slots=True)
class Sums:
    """Of the cells of one or two columns, shape (cells,): examples, and of their losses the sum and the sum of squares."""

    cells: tuple[Column, ...]
    count: Floats
    total: Floats
    squares: Floats

    def cell(self, place: int) -> Cell:
        if len(self.cells) == 1:
            return Cell(self.cells, (place,))
        return Cell(self.cells, divmod(place, len(self.cells[1].values)))


def columns_of(columns: Mapping[str, Sequence[Any]]) -> list[Column]:
    """At most `MOST_COLUMNS`, without those that cut nothing."""
    made = [_column(name, values) for name, values in list(columns.items())[:MOST_COLUMNS]]
    return [one for one in made if len(one.values) > 1]


def cut(columns: Sequence[Column], rows: NDArray[np.intp], losses: Floats) -> Iterator[Sums]:
    """The sums over these examples by each column and each pair of columns. losses: of these examples."""
    for one in columns:
        yield _sums((one,), one.codes[rows], len(one.values), losses)
    for one, other in combinations(columns, 2):
        left, right = one.codes[rows], other.codes[rows]
        both = np.where((left < 0) | (right < 0), -1, left * len(other.values) + right)
        yield _sums((one, other), both, len(one.values) * len(other.values), losses)


def _sums(cells: tuple[Column, ...], codes: Codes, size: int, losses: Floats) -> Sums:
    """Code -1 has a place of its own, which is left out."""
    count = np.bincount(codes + 1, minlength=size + 1)[1:].astype(float)
    total, squares = (np.bincount(codes + 1, one, size + 1)[1:].astype(float) for one in (losses, losses**2))
    return Sums(cells, count, total, squares)


def _column(name: str, values: Sequence[Any]) -> Column:
    numeric = all(isinstance(value, int | float) for value in values)
    numbers = np.asarray(values, dtype=float) if numeric else np.empty(0)
    if numeric and len(np.unique(numbers[np.isfinite(numbers)])) > _FEW_NUMBERS:
        return _binned(name, numbers)
    texts = np.asarray(["missing" if value is None else str(value) for value in values], dtype=object)
    found, place, counts = np.unique(texts, return_inverse=True, return_counts=True)
    kept = np.sort(np.argsort(-counts, kind="stable")[:_VALUES])
    codes = np.full(len(found), -1, dtype=np.int64)
    codes[kept] = np.arange(len(kept))
    return Column(name, tuple(f"= {found[one]}" for one in kept), codes[place])


def _binned(name: str, numbers: Floats) -> Column:
    """By quantiles; what is missing or infinite is a slice of its own."""
    known = np.isfinite(numbers)
    edges = np.unique(np.quantile(numbers[known], np.arange(1, _BINS) / _BINS))
    codes = np.where(known, np.searchsorted(edges, np.where(known, numbers, 0.0), side="right"), len(edges) + 1)
    inner = [f"from {low:.4g} to {high:.4g}" for low, high in pairwise(edges.tolist())]
    return Column(name, (f"below {edges[0]:.4g}", *inner, f"from {edges[-1]:.4g}", "missing"), codes.astype(np.int64))
