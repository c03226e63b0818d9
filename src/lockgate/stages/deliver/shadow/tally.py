"""What is kept of one event of a shadow's (a failure, a disagreement, a judged label): counts, for order does not matter."""

from __future__ import annotations

from dataclasses import dataclass, fields

OWN, OTHER = 1, 2  # bits of an outcome: the shadow had the event, the champion had it


@dataclass(slots=True)
class Tally:
    """The sufficient statistics of one event, over pairs. Filled in by the ledger; what a state holds is not changed any more.

    units: those with at least one outcome; own_first, other_first: those of them whose first outcome was the event.
    discordant: units with an outcome in which exactly one of the two had the event; own_discordant: those of them in whose first
        such outcome it was the shadow.
    windows: units that have had all their outcomes that count. both, own, other: how many of these outcomes were the event of
        both, of the shadow alone, of the champion alone.
    """

    units: int = 0
    own_first: int = 0
    other_first: int = 0
    discordant: int = 0
    own_discordant: int = 0
    windows: int = 0
    both: int = 0
    own: int = 0
    other: int = 0

    def plus(self, more: Tally) -> Tally:
        return Tally(*(getattr(self, one.name) + getattr(more, one.name) for one in fields(self)))


def counted(trials: int, events: int) -> Tally:
    """The tally of independent trials of the shadow: each is a unit, and the whole window of it."""
    return Tally(units=trials, own_first=events, windows=trials, own=events)
