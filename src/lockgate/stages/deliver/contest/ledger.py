"""One unit, one event: what each unit has had in the contest so far, whichever arm it met.

A bandit moves units from arm to arm. If a version changes nothing, the unit's place on the hash ring has nothing to do with when
its first event comes; so among the arms j and k it falls on k with probability w_k / (w_j + w_k), by the weights of that request.
A later event tells where the unit has been before, so it is no evidence, not even between arms that the unit is new to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

Records = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Taken:
    """What one arm's records added.

    news: the records, each with those events only that are its unit's first. opened: outcomes of units seen for the first time.
    """

    news: list[tuple[int, int]] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)


class Ledger(msgspec.Struct):
    """By unit the bits of the events that it had. Mutable: it belongs to the fold that fills it (see contest.state)."""

    units: dict[int, int] = {}

    def take(self, records: Iterable[tuple[int, int]]) -> Taken:
        """Fold (key, outcome) records of one arm, in their order."""
        taken, units = Taken(), self.units
        for key, outcome in records:
            had = units.get(key)
            if had is None:
                taken.opened.append(outcome)
                had = 0
            units[key] = had | outcome
            taken.news.append((key, outcome & ~had))
        return taken
