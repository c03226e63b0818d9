"""What a contract says of the data as a whole: how many rows, how fresh, and which shares of a column may be otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from pandas.api import types

from lockgate.kernel.quantities import format_duration
from lockgate.stages.build.spec import ColumnSpec, ContractSpec, FreshnessSpec, RowsSpec

AHEAD = 86400.0  # seconds that times without a zone may be ahead of UTC, and clocks of each other
_EXAMPLES = 3
_UNITS = ((3 * 86400.0, 86400.0), (3 * 3600.0, 3600.0), (180.0, 60.0))  # seconds from which on they are told in these


def whole(frame: pd.DataFrame, spec: ContractSpec, at: float) -> list[str]:
    """What breaks it, in sentences. at: Unix seconds of the run."""
    breaches = [*_rows(len(frame), spec.rows)]
    for name, column in spec.columns.items():
        if name in frame and len(frame):
            breaches += [*_missing(name, frame[name], column), *_unseen(name, frame[name], column)]
    return breaches + ([*_freshness(frame, spec.freshness, at)] if spec.freshness else [])


def _rows(found: int, spec: RowsSpec) -> Iterator[str]:
    if found < spec.min:
        yield f"{found} rows found, at least {spec.min} expected"
    elif spec.max is not None and found > spec.max:
        yield f"{found} rows found, at most {spec.max} expected"


def _missing(name: str, column: pd.Series[Any], spec: ColumnSpec) -> Iterator[str]:
    share = float(column.isna().mean())
    if spec.max_missing is not None and share > spec.max_missing:
        yield f"{name}: at most {spec.max_missing:.2%} missing values expected; {share:.2%} of {len(column)} rows have none"


def _unseen(name: str, column: pd.Series[Any], spec: ColumnSpec) -> Iterator[str]:
    """Of the values that are there."""
    known = spec.values  # noqa: PD011 - not a frame's
    if known is None or spec.unseen is None:
        return
    present = column.dropna()
    others = present[~present.isin(list(known))]
    share = len(others) / max(len(present), 1)
    if share > spec.unseen:
        examples = ", ".join(f"{value!s:.40}" for value in others.drop_duplicates()[:_EXAMPLES])
        wanted = f"one of {', '.join(map(str, known))} expected in all but {spec.unseen:.2%} of the rows"
        yield f"{name}: {wanted}; {len(others)} rows break it ({share:.2%}), such as {examples}"


def _freshness(frame: pd.DataFrame, spec: FreshnessSpec, at: float) -> Iterator[str]:
    """A time that has not come yet is a breach of its own: one mistyped year would make stale data fresh for ever."""
    if spec.column not in frame:
        yield f"column {spec.column} is missing, which tells how fresh the data is"
        return
    times = _unix(frame[spec.column]).dropna()
    if len(times) == 0:
        yield f"{spec.column}: times expected, which tell how fresh the data is; {frame[spec.column].dtype} found"
        return
    newest = float(times.max())
    if newest > at + AHEAD:
        yield f"{spec.column}: its newest value lies {_told(newest - at)} ahead, so nothing tells how fresh the data is"
    elif at - newest > spec.within:
        wanted = f"a newest value at most {format_duration(spec.within)} old expected"
        yield f"{spec.column}: {wanted}; it is {_told(at - newest)} old"


def _unix(column: pd.Series[Any]) -> pd.Series[float]:
    """Seconds; numbers are such already. Times without a zone are taken as UTC, what is no time as missing."""
    if types.is_numeric_dtype(column):
        return column.astype(float)
    times = pd.to_datetime(column, utc=True, errors="coerce")
    return (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()


def _told(seconds: float) -> str:
    """In a unit of which there are three or more."""
    unit = next((one for least, one in _UNITS if seconds >= least), 1.0)
    return f"{seconds / unit:.0f} {({86400.0: 'days', 3600.0: 'hours', 60.0: 'minutes'}).get(unit, 'seconds')}"
