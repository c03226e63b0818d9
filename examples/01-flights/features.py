"""What is known of a flight an hour before its scheduled departure. Training and the airline's booking system share this file."""

import numpy as np
import pandas as pd

LEAD = 60  # minutes before the scheduled departure at which the question is asked
WINDOW = 240  # minutes: whose delays count as recent
PRIOR = 3  # pseudo-flights that pull a carrier's mean towards that of its airport

CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["minute_of_day", "weekday", "distance", "recent_delay"]
FEATURES = CATEGORIES + NUMBERS


def features(flights: pd.DataFrame) -> pd.DataFrame:
    """One row for each flight; the index names the flight."""
    date = pd.to_datetime(flights[["year", "month", "day"]])
    frame = pd.DataFrame(
        {
            "carrier": flights["carrier"].astype(str),
            "origin": flights["origin"].astype(str),
            "dest": flights["dest"].astype(str),
            "minute_of_day": flights["minute_of_day"].astype("float32"),
            "weekday": date.dt.day_of_week.astype("float32"),
            "distance": flights["distance"].astype("float32"),
            "recent_delay": recent_delay(flights).astype("float32"),
        }
    )
    frame.index = pd.Index(
        date.dt.strftime("%m%d")
        + "-"
        + flights["carrier"].astype(str)
        + flights["flight"].astype(str)
        + "-"
        + flights["origin"].astype(str)
        + flights["minute_of_day"].astype(str),
        name="flight",
    )
    return frame


def recent_delay(flights: pd.DataFrame) -> np.ndarray:
    """Minutes by which flights of the same carrier and airport were late lately, as known when the question is asked."""
    scheduled = flights["scheduled"].to_numpy(np.int64)
    asked = scheduled - LEAD
    delay = flights["departure_delay"].to_numpy(float)
    origin = pd.factorize(flights["origin"])[0] + 1
    carrier = pd.factorize(flights["carrier"])[0] * 8 + origin
    total, count = _known_delay(scheduled, delay, origin, asked)
    airport_mean = total / np.maximum(count, 1)
    total, count = _known_delay(scheduled, delay, carrier, asked)
    return np.round((total + PRIOR * airport_mean) / (count + PRIOR), 2)


def _known_delay(scheduled, delay, group, asked):
    """For each flight: the sum over flights of its group in the window of the delay known by then, and how many those are.

    A flight that has not left by then has waited since its schedule; a cancelled one waits until it drops out of the window.
    Exact, by cumulative sums: with c = min(max(delay, 0), WINDOW), each flight adds (t-s)+ - (t-s-c)+ - c·[t >= s+WINDOW].
    """
    capped = np.where(np.isnan(delay), WINDOW, np.clip(np.nan_to_num(delay), 0, WINDOW)).astype(np.int64)
    key = group.astype(np.int64) << 22  # more than the minutes of a year: group and time in one integer

    def until_asked(at, value):
        order = np.argsort(key + at, kind="stable")
        sorted_keys = (key + at)[order]
        low, high = np.searchsorted(sorted_keys, key, "left"), np.searchsorted(sorted_keys, key + asked, "right")
        sums = np.concatenate([[0], np.cumsum(value[order])])
        return high - low, sums[high] - sums[low]

    begun, begun_sum = until_asked(scheduled, scheduled)
    left, left_sum = until_asked(scheduled + capped, scheduled + capped)
    dropped, dropped_sum = until_asked(scheduled + WINDOW, capped)
    return (begun * asked - begun_sum) - (left * asked - left_sum) - dropped_sum, begun - dropped
