"""Quantities as people write them: durations, shares, so many per period. What is written is read back the same."""

from __future__ import annotations

import re
from decimal import Decimal

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PERIODS = {"hour": 3600, "day": 86400, "week": 604800, "month": 30 * 86400}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([smhdw])", re.ASCII)
_LONG = re.compile(r"\d+(?:\.\d+)?\s*[smhdw]", re.ASCII)
_SHARE = re.compile(r"(\d{1,4}(?:\.\d{1,18})?)\s*%", re.ASCII)
_BUDGET = re.compile(r"(\d{1,9}) per (hour|day|week|month)", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds. `90s`, `30m`, `2h`, `1d`, `1.5w`.

    Raises:
        ValueError: it is no duration.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None and _LONG.fullmatch(text.strip()):
        raise ValueError("a shorter time expected: a number of at most nine digits, and as many behind its point")
    if match is None:
        raise ValueError("a number with s, m, h, d or w expected, such as 30m")
    return float(Decimal(match[1]) * _SECONDS[match[2]])


def format_duration(seconds: float) -> str:
    """The largest unit that divides it: 86400 is `1d`."""
    amount = Decimal(repr(seconds))
    for unit in reversed(_SECONDS):
        if amount and amount % _SECONDS[unit] == 0:
            return f"{int(amount) // _SECONDS[unit]}{unit}"
    return f"{amount.normalize():f}s"


def parse_share(text: str) -> float:
    """0…1. `5%` is 0.05.

    Raises:
        ValueError: it is no percentage from 0 % to 100 %.
    """
    match = _SHARE.fullmatch(text.strip())
    if match is None:
        raise ValueError("a percentage expected, such as 5%")
    share = Decimal(match[1]) / 100
    if share > 1:
        raise ValueError(f"{match[1]}% is more than 100%")
    return float(share)


def format_share(share: float) -> str:
    return f"{(Decimal(repr(share)) * 100).normalize():f}%"


def parse_budget(text: str) -> tuple[int, float]:
    """How many in how many seconds. `10 per week`; a month is 30 days.

    Raises:
        ValueError: it is no budget.
    """
    match = _BUDGET.fullmatch(text.strip())
    if match is None:
        raise ValueError("a number per hour, day, week or month expected, such as '10 per week'")
    return int(match[1]), float(_PERIODS[match[2]])


def format_budget(count: int, period: float) -> str:
    names = {seconds: name for name, seconds in _PERIODS.items()}
    return f"{count} per {names[int(period)]}"
