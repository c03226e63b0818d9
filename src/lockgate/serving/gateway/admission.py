"""How far behind the event loop is, and whether one more request would still be answered in time."""

from __future__ import annotations

_SMOOTHING = 0.02
_FIRST_GUESS = 1e-4  # seconds for one request, until there are measurements
_LEAP = 10.0  # times the cost so far that one measurement may say
_STALE = 1.0  # seconds after which a request that waits for its body is a slow caller's, and not the loop's


class Admission:
    """Requests that wait for the loop, and how long each takes it: their product is what the next one would wait.

    patience: seconds that a request may wait for the loop; beyond that a refusal now is worth more than an answer later.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._cost = _FIRST_GUESS
        self._last = 0.0  # when the request before was done with; 0 if the loop was idle then
        self.stale = 0
        self._shed: list[str] = []

    def delay(self, waiting: int) -> float:
        """Seconds that one more request would wait. waiting: how many do."""
        return max(0, waiting - self.stale) * self._cost

    def full(self, waiting: int, path: str) -> bool:
        """Whether the request for this path must be refused; remembers it, if so."""
        if self.delay(waiting) <= self._patience:
            return False
        self._shed.append(path)
        return True

    def done(self, now: float, waiting: int) -> None:
        """A request was handled. While others wait, the time between two of them is what one costs, all overhead included.

        Those that waited may have waited for their sender: so one long gap must not count for much.
        """
        if self._last:
            self._cost += _SMOOTHING * (min(now - self._last, _LEAP * self._cost) - self._cost)
        self._last = now if waiting > self.stale else 0.0

    def take_shed(self) -> list[str]:
        """The paths of those that were refused since this was last asked."""
        taken, self._shed = self._shed, []
        return taken


def stale(since: list[float], now: float) -> int:
    """How many of those that wait do so for their own sender. since: when each began to."""
    return sum(now - one > _STALE for one in since)
