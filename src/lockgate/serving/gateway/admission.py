"""How far behind the event loop is, and whether one more request would still be answered in time."""

from __future__ import annotations

from collections import Counter

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
        self._last = 0.0  # when the request before was done with
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

    def done(self, begun: float, now: float) -> None:
        """A request was handled. It costs what handling it took, and the loop's own work since the one before.

        That gap may as well be time in which the loop was idle, because those that wait do so for their sender: so no more of it
        counts than the handling took. One slow request must not count for much.
        """
        handling = now - begun
        cost = handling + min(begun - self._last, handling)
        self._cost += _SMOOTHING * (min(cost, _LEAP * self._cost) - self._cost)
        self._last = now

    def take_shed(self) -> Counter[str]:
        """How many were refused since this was last asked, by their paths."""
        taken, self._shed = self._shed, []
        return Counter(taken)


def stale(since: list[float], now: float) -> int:
    """How many of those that wait do so for their own sender. since: when each began to."""
    return sum(now - one > _STALE for one in since)
