"""Time is an argument: whoever needs it is handed a clock, so that a week-long rollout is tested in a millisecond."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The wall clock's time, aware, in UTC: for people and records."""
        ...

    def unix(self) -> float:
        """The same in Unix seconds: where a datetime would cost too much."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps: for durations and time-outs."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is where time comes from

    def unix(self) -> float:
        return time.time()  # noqa: TID251 - as above

    def monotonic(self) -> float:
        return time.monotonic()
