"""What was given to a model, as columns: for rules, units and records. A table is read by the names of the model's inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_SPELLINGS = ("tolist", "to_pylist", "to_list")  # NumPy and pandas, Arrow, Polars


def columns_of(rows: Any, names: Iterable[str] = ()) -> dict[str, Sequence[Any]]:
    """rows: a dict (one row), a list of dicts, a mapping of columns, or a table of any library; an array has no names, and its
    columns stand in the order of `names`. names: those that the table itself has, if none are given. What cannot be told is left
    out.
    """
    names = tuple(names) or _names(rows)
    if isinstance(rows, Mapping):
        return {name: _column(rows[name]) for name in names if name in rows}
    if isinstance(rows, list | tuple):
        told = [row for row in rows if isinstance(row, Mapping)]
        if len(told) == len(rows):
            return {name: [row.get(name) for row in told] for name in names}
    return {name: column for place, name in enumerate(names) if (column := _of_table(rows, place, name)) is not None}


def _names(rows: Any) -> tuple[str, ...]:
    """What the rows themselves call their columns: NumPy's named fields, pandas and Polars, Arrow."""
    if isinstance(rows, list | tuple):
        return _names(rows[0]) if rows else ()
    if isinstance(rows, Mapping):
        return tuple(rows)
    fields: Any = getattr(getattr(rows, "dtype", None), "names", None)
    told: Any = fields or getattr(rows, "column_names", None) or getattr(rows, "columns", ())
    return tuple(map(str, told))


def _of_table(rows: Any, place: int, name: str) -> Sequence[Any] | None:
    try:
        return _column(rows[:, place] if getattr(getattr(rows, "dtype", None), "names", ()) is None else rows[name])
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _column(values: Any) -> Sequence[Any]:
    for spelling in _SPELLINGS:
        if hasattr(values, spelling):
            values = getattr(values, spelling)()
            break
    return values if isinstance(values, list | tuple) else [values]
