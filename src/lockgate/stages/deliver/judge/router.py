"""Do units meet the arms as the weights say? A sequential test for a sample-ratio mismatch that waits for what is in flight.

A router that sends too many or too few units to the canary, or a worker that loses one arm's requests, makes every comparison
worthless, whatever the canary does. So new units are counted by arm (where the unit is sticky, units seen for the first time in
the rollout: a returning one's arm is known). If all is well, each met the canary with the probability `weight`. That is the game
on the share of events (`lockgate.stats.odds`), played on the units themselves: half of the capital bets on too many, half on too
few.

What is counted are requests that ended. Those that are in somebody's hands are not, and a canary that hangs has many of them in
its hands: their absence is no fault of the router. An answer takes at most `patience`, so what was assigned by an earlier moment
lies between what was counted at that moment and what is counted by now, for each arm. Within these limits the game takes the
counts that say least. Its capital is therefore never more than that of the game on the true counts, and as valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lockgate.stages.deliver.judge.tally import Counts, Row, added, columns
from lockgate.stats.combine import log_mean
from lockgate.stats.odds import log_e_worse

_MARKS = 8  # in the time of the longest answer


class Mark(NamedTuple):
    """What had been counted at a moment, in Unix seconds."""

    at: float
    counted: Counts


@dataclass(frozen=True, slots=True)
class Arrivals:
    """New units by weight: how many there were, and how many of them met the canary.

    counted: all. settled: those of a moment so long ago that whatever had been assigned by then is counted now. marks: of
    moments since then, the oldest first.
    """

    counted: Counts = field(default_factory=dict)
    settled: Counts = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()

    def plus(self, more: Counts, until: float, patience: float) -> Arrivals:
        """until: Unix seconds of the last request in `more`; 0 if nothing can be in flight. patience: seconds."""
        counted = added(self.counted, more)
        if until == 0.0:
            return Arrivals(counted, counted)
        settled, marks = self.settled, self.marks
        if not marks or until >= marks[-1].at + patience / _MARKS:
            marks = (*marks, Mark(until, counted))
        while marks and marks[0].at <= until - patience:
            settled, marks = marks[0].counted, marks[1:]
        return Arrivals(counted, settled, marks)


@dataclass(frozen=True, slots=True)
class Assigned:
    """New units of both arms, the canary's, and how many of them the weights let expect."""

    units: int = 0
    canary: int = 0
    expected: float = 0.0


def assigned(arrivals: Arrivals) -> Assigned:
    rows = sorted(arrivals.counted.items())
    return Assigned(
        sum(units for _, (units, _) in rows),
        sum(canary for _, (_, canary) in rows),
        sum(weight * units for weight, (units, _) in rows),
    )


def log_e_fault(arrivals: Arrivals) -> float:
    """Log e-value against "each new unit met the canary with the probability `weight`"."""
    return log_e_faults([arrivals])[0]


def log_e_faults(each: Sequence[Arrivals]) -> list[float]:
    """`log_e_fault` of each."""
    worse = log_e_worse(*columns([side for arrivals in each for side in _sides(arrivals)]))
    found: list[float] = log_mean(worse.reshape(len(each), 2)).tolist()
    return found


def _sides(arrivals: Arrivals) -> tuple[list[Row], list[Row]]:
    """What says least of too many units that met the canary, and of too few: then the baseline has too many."""
    many, few = [], []
    for weight, (units, canary) in sorted(arrivals.counted.items()):
        units_then, canary_then = arrivals.settled.get(weight, (0, 0))
        baseline_then = units_then - canary_then
        many.append((weight, canary_then + units - canary, canary_then))
        few.append((1 - weight, baseline_then + canary, baseline_then))
    return many, few
