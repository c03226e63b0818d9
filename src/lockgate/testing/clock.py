"""A clock that moves when it is told to: a week passes in a microsecond, and every test sees the same times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)  # a Monday morning


class VirtualClock:
    """A kernel.clock.Clock. Both of its times advance together; `monotonic` starts at 0."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._lock = Lock()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def unix(self) -> float:
        return self.now().timestamp()

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let time pass. A monotonic clock does not go back: negative seconds are refused."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds} seconds")
        with self._lock:
            self._elapsed += seconds
