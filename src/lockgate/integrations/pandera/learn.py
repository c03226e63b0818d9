"""Learn a contract from data that is known to be good: a first draft of a file that a person reviews and commits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api import types

from lockgate.kernel.errors import Invalid

_MOST_VALUES = 20  # different strings: more are no vocabulary


def learn_file(path: Path) -> dict[str, Any]:
    """The contract of one Parquet or CSV file.

    Raises:
        Invalid: it is neither.
    """
    try:
        return learn(pd.read_parquet(path) if path.suffix in (".parquet", ".pq") else pd.read_csv(path))
    except (ValueError, OSError) as error:  # pyarrow's errors are both
        raise Invalid(f"{path} cannot be read: {str(error).splitlines()[0]}", hint="Name a Parquet or CSV file.") from error


def learn(frame: pd.DataFrame) -> dict[str, Any]:
    """A contract that the data keeps, as the content of a contract file.

    Ranges are those of the data and nothing more: whoever reviews the file knows how far they may reach.
    """
    return {
        "columns": {str(name): _column(frame[name]) for name in frame.columns},
        "rows": {"min": max(1, len(frame) // 2)},
        "strict": False,
    }


def _column(column: pd.Series[Any]) -> dict[str, Any]:
    present = column.dropna()
    learned: dict[str, Any] = {"type": _type(column)}
    if len(present) < len(column):
        learned["nullable"] = True
    if learned["type"] in ("int", "float") and len(present):
        learned |= {"min": _number(present.min()), "max": _number(present.max())}
    if learned["type"] == "string" and present.nunique() <= _MOST_VALUES:
        learned["values"] = sorted(map(str, present.unique()))
    if learned.get("values") == []:
        del learned["values"]
    return {key: value for key, value in learned.items() if value is not None}


def _type(column: pd.Series[Any]) -> str | None:
    if types.is_bool_dtype(column):
        return "bool"
    if types.is_integer_dtype(column):
        return "int"
    if types.is_float_dtype(column):
        return "int" if len(column.dropna()) and bool((column.dropna() % 1 == 0).all()) else "float"
    if types.is_datetime64_any_dtype(column):
        return "datetime"
    return "string" if types.is_string_dtype(column.dropna()) else None


def _number(value: Any) -> int | float:
    return int(value) if float(value).is_integer() else float(value)
