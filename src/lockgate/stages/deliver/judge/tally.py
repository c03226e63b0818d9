"""What is kept of one event (a failure, an exceedance of one quantile, a judged label): counts, for order does not matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Counts: TypeAlias = dict[float, tuple[int, int]]
"""By the canary's weight: how many events there were, and how many of them were the canary's."""

Row: TypeAlias = tuple[float, int, int]
"""A weight, the events under it, and how many of them were the canary's."""

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tally:
    """The sufficient statistics of one event in both arms.

    first: what HARM is computed from: with a sticky unit each unit's first event, else every event.
    outcomes: what SAFE is computed from: with a sticky unit the units that had the event within their window, else every
    event. trials, events: as for `outcomes`, by arm.
    """

    first: Counts = field(default_factory=dict)
    outcomes: Counts = field(default_factory=dict)
    canary_trials: int = 0
    canary_events: int = 0
    baseline_trials: int = 0
    baseline_events: int = 0

    def plus(self, other: Tally) -> Tally:
        return Tally(
            added(self.first, other.first),
            added(self.outcomes, other.outcomes),
            self.canary_trials + other.canary_trials,
            self.canary_events + other.canary_events,
            self.baseline_trials + other.baseline_trials,
            self.baseline_events + other.baseline_events,
        )

    @property
    def baseline_rate(self) -> float:
        return self.baseline_events / self.baseline_trials if self.baseline_trials else 0.0


def counted(weight: float, canary: tuple[int, int], baseline: tuple[int, int]) -> Tally:
    """The tally of independent trials; canary and baseline: (trials, events)."""
    counts = cell(weight, canary[1], baseline[1])
    return Tally(counts, counts, *canary, *baseline)


def cell(weight: float, canary_events: int, baseline_events: int) -> Counts:
    events = canary_events + baseline_events
    return {weight: (events, canary_events)} if events else {}


def added(some: Counts, more: Counts) -> Counts:
    if not more:
        return some
    total = dict(some)
    for weight, (events, canary_events) in more.items():
        had = total.get(weight, (0, 0))
        total[weight] = (had[0] + events, had[1] + canary_events)
    return total


def by_weight(counts: Counts) -> list[Row]:
    """One order for whatever holds the same counts."""
    return [(weight, events, canary_events) for weight, (events, canary_events) in sorted(counts.items())]


def columns(games: Sequence[Sequence[Row]]) -> tuple[Floats, Floats, Floats]:
    """Weights, events and canary's events, each of shape (games, weights).

    Games at fewer weights than others end in weights of 0 without events, at which nothing is won or lost.
    """
    width = max(map(len, games), default=0)
    flat: list[float] = []
    for rows in games:
        for row in rows:
            flat += row
        flat += (0.0, 0.0, 0.0) * (width - len(rows))
    weights, events, canary_events = np.array(flat, dtype=float).reshape(len(games), width, 3).transpose(2, 0, 1)
    return weights, events, canary_events
