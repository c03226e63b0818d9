"""Learn a contract from data that is known to be good: a first draft of a file that a person reviews and commits.

Data of tomorrow reaches a little further than data of today. So each rule has slack, the more the fewer rows it was learned from:

- A range is widened on both sides by as much as all values lie apart, and by more where there are few; one that never fell below
  zero does not. It finds wrong units, lost digits and stand-ins such as -999, not a shift of the mean: that is skew.
- Values make a vocabulary where unseen ones are rare. Good and Turing (1953): the share of the rows whose value came once
  estimates the share of unseen values; the rule of three adds what so many rows cannot know.
- Half to double the rows; missing values at about twice their odds.
"""

from __future__ import annotations

from math import ceil, floor
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api import types

from lockgate.kernel.errors import Invalid

_MOST_VALUES = 50  # different strings: more are no vocabulary
_MOST_UNSEEN = 0.1  # nor is one that a tenth of the rows may break
_LEAST_UNSEEN = 0.01
_FEW = 100  # rows, with which a range has twice the slack
_TEN = 10.0  # missing values more than their share in so many rows: what a sample of them may have by chance
_THREE = 3.0  # of n rows without an event: its share is below 3 / n, but for a chance of 5 %
_DAY = 86400.0
_DELIVERED = 30 * _DAY  # data that is older is no delivery that goes on


def learn_file(path: Path, at: float) -> dict[str, Any]:
    """The contract of one Parquet or CSV file. at: Unix seconds, now.

    Raises:
        Invalid: it is neither.
    """
    try:
        return learn(pd.read_parquet(path) if path.suffix in (".parquet", ".pq") else pd.read_csv(path), at)
    except (ValueError, OSError) as error:  # pyarrow's errors are both
        raise Invalid(f"{path} cannot be read: {str(error).splitlines()[0]}", hint="Name a Parquet or CSV file.") from error


def learn(frame: pd.DataFrame, at: float) -> dict[str, Any]:
    """A contract that the data keeps, and further data of the same kind too, as the content of a contract file."""
    learned: dict[str, Any] = {
        "columns": {str(name): _column(frame[name]) for name in frame.columns},
        "rows": {"min": max(1, len(frame) // 2), "max": max(2 * len(frame), 1)},
        "strict": False,
    }
    return learned | _freshness(frame, at)


def _column(column: pd.Series[Any]) -> dict[str, Any]:
    present, kind = column.dropna(), _type(column)
    learned: dict[str, Any] = {"type": kind} if kind else {}
    learned |= _missing(len(column) - len(present), len(column))
    if kind in ("int", "float") and len(present):
        learned |= _range(present.astype(float), whole=kind == "int")
    if kind == "string" and len(present):
        learned |= _vocabulary(present.astype(str))
    return learned


def _missing(missing: int, rows: int) -> dict[str, Any]:
    if not missing:
        return {}
    share = missing / rows
    most = 2 * share / (1 + share) + _TEN / rows
    return {"nullable": True} | ({"max_missing": _share(most)} if most < 1 else {})


def _range(present: pd.Series[float], *, whole: bool) -> dict[str, Any]:
    """Nothing where a value is infinite: such a column has no range."""
    low, high = float(present.min()), float(present.max())
    slack = (high - low or abs(high) or 1.0) * (1 + _FEW / len(present))
    if not (abs(low) + abs(high) + slack < float("inf")):
        return {}
    least, most = (min(low, 0.0) if low >= 0 else low - slack), high + slack
    most = 0.0 if high <= 0 > low else most
    return {"min": floor(least), "max": ceil(most)} if whole else {"min": _rounded(least, floor), "max": _rounded(most, ceil)}


def _rounded(value: float, towards: Any) -> int | float:
    """Outwards, to whole numbers where those are fine enough."""
    return int(towards(value)) if 10 <= abs(value) < 1e15 or value == 0 else value  # noqa: PLR2004 - two digits


def _vocabulary(present: pd.Series[str]) -> dict[str, Any]:
    counts = present.value_counts()
    unseen = 2 * float((counts == 1).sum()) / len(present) + _THREE / len(present)
    if len(counts) > _MOST_VALUES or unseen > _MOST_UNSEEN:
        return {}
    return {"values": sorted(counts.index), "unseen": _share(max(_LEAST_UNSEEN, unseen))}


def _freshness(frame: pd.DataFrame, at: float) -> dict[str, Any]:
    """Of the only column of times, twice as old as it is now; nothing where several could be meant, or all is long ago."""
    times = [name for name in frame.columns if types.is_datetime64_any_dtype(frame[name]) and frame[name].notna().any()]
    if len(times) != 1:
        return {}
    newest = pd.to_datetime(frame[times[0]], utc=True).max()
    age = at - float(newest.timestamp())
    if not -_DAY <= age <= _DELIVERED:
        return {}
    return {"freshness": {"column": str(times[0]), "within": f"{max(1, ceil(2 * age / _DAY))}d"}}


def _share(share: float) -> str:
    """Rounded up to a tenth of a percent."""
    return f"{min(ceil(share * 1000) / 10, 99.9):g}%"


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
