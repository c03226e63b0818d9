"""One unit, one vote: the ledger of the units that a shadow was asked about.

Requests of one user are alike. Counted one by one, a single user about whom two models differ would be evidence without end.
So of a unit that comes back

- HARM takes the first outcome (of labels: the first in which exactly one of the two had the event);
- SAFE takes the mean of the first `horizon` outcomes, once, at the last of them, so that it has seen more than beginnings.

The mean is used as the share of an event. The logarithm of a bet is concave in the outcome, so this only lowers the capital, and
what is valid for single trials stays valid (see stats.paired_rates). A mean of losses is a number in [0, 1] as each of them is.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from lockgate.stages.deliver.shadow.losses import LossPair
from lockgate.stages.deliver.shadow.tally import OTHER, OWN, Tally

_BOTH = OWN | OTHER


class Unit(msgspec.Struct, array_like=True, gc=False):
    """seen: outcomes in its window, which is closed at the horizon. told: a discordant one has come."""

    seen: int = 0
    both: int = 0
    own: int = 0
    other: int = 0
    told: bool = False


class LossUnit(msgspec.Struct, array_like=True, gc=False):
    """seen: labelled pairs in its window. own, other: sums of the losses in it, the shadow's and the champion's."""

    seen: int = 0
    own: float = 0.0
    other: float = 0.0


class LossLedger(msgspec.Struct):
    """The same for numbers in place of events. Mutable, as the other one."""

    horizon: int
    units: dict[int, LossUnit] = {}

    def take(self, losses: Iterable[tuple[int, float, float]]) -> tuple[list[LossPair], list[LossPair]]:
        """Of (key, shadow's, champion's) records the first of each unit that is new, and the means of windows that they close."""
        first: list[LossPair] = []
        closed: list[LossPair] = []
        for key, own, other in losses:
            unit = self.units.get(key)
            if unit is None:
                unit = self.units[key] = LossUnit()
                first.append((own, other))
            if unit.seen < self.horizon:
                unit.seen, unit.own, unit.other = unit.seen + 1, unit.own + own, unit.other + other
                if unit.seen == self.horizon:
                    closed.append((unit.own / self.horizon, unit.other / self.horizon))
        return first, closed


class Ledger(msgspec.Struct):
    """Mutable: it belongs to the fold that fills it (see shadow.state)."""

    horizon: int
    units: dict[int, Unit] = {}

    def take(self, outcomes: Iterable[tuple[int, int]]) -> Tally:
        """What (key, outcome) records add; an outcome is made of the bits OWN and OTHER."""
        added = Tally()
        for key, outcome in outcomes:
            unit = self.units.get(key)
            if unit is None:
                unit = self.units[key] = Unit()
                added.units += 1
                added.own_first += bool(outcome & OWN)
                added.other_first += bool(outcome & OTHER)
            if not unit.told and outcome in (OWN, OTHER):
                unit.told = True
                added.discordant += 1
                added.own_discordant += outcome == OWN
            if unit.seen < self.horizon:
                self._count(unit, outcome, added)
        return added

    def _count(self, unit: Unit, outcome: int, added: Tally) -> None:
        """Take the outcome into the unit's window; the last one closes it."""
        unit.seen += 1
        unit.both += outcome == _BOTH
        unit.own += outcome == OWN
        unit.other += outcome == OTHER
        if unit.seen == self.horizon:
            added.windows += 1
            added.both += unit.both
            added.own += unit.own
            added.other += unit.other
