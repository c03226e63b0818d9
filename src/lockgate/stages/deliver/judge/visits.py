"""Two ledgers in one, of what units did and of how long they waited: a unit is looked up once for both.

With many units a look-up waits for memory, and is most of what folding a request costs. What is taken is what two ledgers
(`judge.ledger`) take: the second sees only requests that were compared with latency thresholds, so its windows may begin later.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from lockgate.boundary.observations import FAILED
from lockgate.stages.deliver.judge.ledger import Taken, odds_weight

_ABOVE = FAILED.bit_length()


class Visitor(msgspec.Struct, array_like=True, gc=False):
    """As `ledger.Unit`, then the same of its timed requests; before the first of these the weights are 0."""

    canary: bool
    low: float
    high: float
    seen: int = 0
    happened: int = 0
    timed_canary: bool = False
    timed_low: float = 0.0
    timed_high: float = 0.0
    timed_seen: int = 0
    timed_happened: int = 0


class Visits(msgspec.Struct):
    """Mutable: it belongs to the fold that fills it (see judge.state)."""

    horizon: int
    units: dict[int, Visitor] = {}

    def take(self, records: Iterable[tuple[int, int]], weight: float, *, canary: bool, slow: int) -> tuple[Taken, Taken]:
        """Fold (key, outcome) records of one arm: what failures added, and what exceeded thresholds.

        slow: the outcome's bits for those, above FAILED; 0: the requests were not compared, and add nothing to the second. Of
        the second only `first` and `closed` are counted.
        """
        whole, timed = Taken(), Taken()
        units, horizon = self.units, self.horizon
        for key, outcome in records:
            unit = units.get(key)
            if unit is None:
                unit = units[key] = Visitor(canary, weight, weight)
                whole.new += 1
                whole.units += 1
                whole.exposed += canary
            elif weight != unit.high or canary is not unit.canary:
                self._returned(unit, weight, canary, whole)
            if outcome & FAILED and not unit.happened:
                unit.happened = FAILED
                whole.first.append(FAILED)
            if unit.seen < horizon:
                unit.seen += 1
                if unit.seen == horizon:
                    whole.closed.append((unit.happened, odds_weight(unit.low, unit.high)))
            if slow:
                self._timed(unit, outcome >> _ABOVE & slow, weight, canary, timed)
        return whole, timed

    def _timed(self, unit: Visitor, outcome: int, weight: float, canary: bool, taken: Taken) -> None:  # noqa: FBT001
        if weight != unit.timed_high or canary is not unit.timed_canary:
            self._timed_again(unit, weight, canary)
        new = outcome & ~unit.timed_happened
        if new:
            unit.timed_happened |= new
            taken.first.append(new)
        if unit.timed_seen < self.horizon:
            unit.timed_seen += 1
            if unit.timed_seen == self.horizon:
                taken.closed.append((unit.timed_happened, odds_weight(unit.timed_low, unit.timed_high)))

    def _returned(self, unit: Visitor, weight: float, canary: bool, taken: Taken) -> None:  # noqa: FBT001
        if weight > unit.high:
            taken.units += 1
        unit.low, unit.high = min(unit.low, weight), max(unit.high, weight)
        if canary is not unit.canary:
            unit.seen = self.horizon  # it tried both arms: its window is void
            taken.exposed += canary
            unit.canary = True

    def _timed_again(self, unit: Visitor, weight: float, canary: bool) -> None:  # noqa: FBT001
        """Under another weight or in the other arm than before, or for the first time."""
        if unit.timed_high == 0.0:
            unit.timed_canary, unit.timed_low, unit.timed_high = canary, weight, weight
            return
        unit.timed_low, unit.timed_high = min(unit.timed_low, weight), max(unit.timed_high, weight)
        if canary is not unit.timed_canary:
            unit.timed_seen = self.horizon
            unit.timed_canary = True
