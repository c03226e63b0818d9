"""Does the canary predict otherwise than the baseline? Another answer is not a worse one: this never says HARM, it asks a person.

Bins are the deciles of what the baseline scored before anything was counted in them. The null is that in every bin the canary's
share of requests is between 1 / ratio and ratio times the baseline's; `lockgate.stats.bins` plays against it. It has a level of
its own and takes no part in any other verdict. What moves both arms alike, another mix of requests, does not move it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, log

import numpy as np

from lockgate.boundary.histogram import merge
from lockgate.boundary.routes import Bins
from lockgate.boundary.scores import STEPS
from lockgate.domain.evidence import Observation
from lockgate.domain.rollouts import Predictions
from lockgate.stats.bins import log_e_by_bin
from lockgate.stats.combine import log_mean

_WARM_UP = 1000  # the baseline's answers before the edges are set: a hundred in each bin
_BINS = 10


@dataclass(frozen=True, slots=True)
class Binned:
    """Answers under one weight, by bin: of both arms, and of the canary."""

    answers: tuple[int, ...]
    canary: tuple[int, ...]

    def plus(self, answers: tuple[int, ...], canary: tuple[int, ...]) -> Binned:
        return Binned(_sum(self.answers, answers), _sum(self.canary, canary))


@dataclass(frozen=True, slots=True)
class Shares:
    """scores: the baseline's, in steps as in boundary.scores, until there are enough; then kept. counts: by weight."""

    scores: dict[int, int] = field(default_factory=dict)
    counts: dict[float, Binned] = field(default_factory=dict)

    @property
    def bins(self) -> int:
        """How many there are; 0 while their edges are not set."""
        found = edges(self, 1)
        return len(found.edges) + 1 if found else 0

    def warmed(self, scores: dict[int, int]) -> Shares:
        if not scores or sum(self.scores.values()) >= _WARM_UP:
            return self
        merged = dict(self.scores)
        merge(merged, scores)
        return Shares(merged, self.counts)

    def plus(self, observation: Observation) -> Shares:
        canary, baseline = observation.canary.bins, observation.baseline.bins
        if not (canary or baseline):
            return self
        none = (0,) * len(canary or baseline)
        own, answers = canary or none, _sum(canary or none, baseline or none)
        had = self.counts.get(observation.weight)
        counts = {**self.counts, observation.weight: had.plus(answers, own) if had else Binned(answers, own)}
        return Shares(self.scores, counts)


@dataclass(frozen=True, slots=True)
class Difference:
    """How far the arms' predictions are proven to differ.

    log_e: against "no bin's share differs by more than the ratio". bar: what proves it. low, high: the scores of the bin that
    differs most surely; canary, baseline: their answers in it and in all.
    """

    log_e: float
    bar: float
    low: float
    high: float
    canary: tuple[int, int]
    baseline: tuple[int, int]

    @property
    def proven(self) -> bool:
        return self.log_e >= self.bar


def edges(shares: Shares, id: int) -> Bins | None:  # noqa: A002 - the bins' own name for it
    """The deciles of the baseline's scores, once there are enough; from then on always the same.

    Scores that are often the same make fewer bins. None also if all are in one step: then there is nothing to tell apart.
    """
    total = sum(shares.scores.values())
    if total < _WARM_UP:
        return None
    steps = sorted(shares.scores)
    reached = np.cumsum([shares.scores[step] for step in steps]) / total
    ends = {steps[int(np.searchsorted(reached, tenth / _BINS))] + 1 for tenth in range(1, _BINS)} - {steps[-1] + 1}
    return Bins(id, tuple(end / STEPS for end in sorted(ends))) if ends else None


def difference(shares: Shares, predictions: Predictions) -> Difference | None:
    """None while no answer has been counted in a bin."""
    rows = sorted(shares.counts.items())
    if not rows:
        return None
    answers = np.array([binned.answers for _, binned in rows]).T
    canary = np.array([binned.canary for _, binned in rows]).T
    by_bin = log_e_by_bin([weight for weight, _ in rows], answers, canary, predictions.ratio)
    most = int(np.argmax(by_bin))
    own, other = canary.sum(axis=1), (answers - canary).sum(axis=1)
    bins = edges(shares, 1)
    ends = (-inf, *bins.edges, inf) if bins else (-inf, inf)
    return Difference(
        float(log_mean(by_bin)),
        -log(predictions.alpha),
        ends[most],
        ends[most + 1],
        (int(own[most]), int(own.sum())),
        (int(other[most]), int(other.sum())),
    )


def _sum(some: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(one + other for one, other in zip(some, more, strict=True))
