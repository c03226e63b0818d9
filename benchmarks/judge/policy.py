"""The judge's HARM over many rollouts at once, by the functions and the weights of production, where the unit is the request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.judge.figures import NEVER, POLICY, Floats, Integers
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.rollouts import JudgePolicy, Segments
from lockgate.stages.deliver.judge.margins import harm_shares
from lockgate.stats.absolute import log_e_above
from lockgate.stats.combine import log_mean, log_weighted_sum
from lockgate.stats.odds import HIGHER, log_growth

SEGMENTS = tuple("ABCDEFGHIJ")
LABELS = 0.1  # how often the labels' event happens, in both arms


def everything(**objectives: float) -> JudgePolicy:
    """All that can be switched on beside errors and latency: labels, objectives, ten segments."""
    return replace(
        POLICY,
        metrics=("errors", "latency", "labels"),
        label_event=LabelEvent("wrong", 0.5),
        objectives=objectives,
        segments=Segments("field:carrier", SEGMENTS),
    )


@dataclass(frozen=True)
class Rates:
    """How often each arm fails, the same in all segments or one by one. Latency and labels are alike in both arms."""

    canary: float | tuple[float, ...]
    baseline: float | tuple[float, ...]


@dataclass(frozen=True)
class Block:
    """What many rollouts saw in one block. own: the canary's requests, shape (runs,).

    every, canary: events of both arms and of the canary, shape (runs, streams): errors, latency by quantile, labels, errors by
    segment, labels by segment.
    """

    own: Integers
    every: Integers
    canary: Integers


def draw(random: np.random.Generator, rates: Rates, weight: float, size: int, runs: int) -> Block:
    """`size` requests of each run, as many in each segment; each request is labelled at once."""
    each = size // len(SEGMENTS)
    own = random.binomial(each, weight, (runs, len(SEGMENTS)))
    arms = [_arm(random, own, rates.canary), _arm(random, each - own, rates.baseline)]
    return Block(own.sum(axis=1), arms[0] + arms[1], arms[0])


def _arm(random: np.random.Generator, requests: Integers, errors: float | tuple[float, ...]) -> Integers:
    failed, labelled = random.binomial(requests, errors), random.binomial(requests, LABELS)
    slow, above, left = [], requests.sum(axis=1), 1.0
    for quantile in POLICY.quantiles:  # who is above p99 is above p95 too
        above, left = random.binomial(above, (1 - quantile) / left), 1 - quantile
        slow.append(above)
    whole = [failed.sum(axis=1), *slow, labelled.sum(axis=1)]
    return np.concatenate([np.stack(whole, axis=1), failed, labelled], axis=1)


class Judges:
    """The judges of many rollouts under one policy."""

    def __init__(self, policy: JudgePolicy, runs: int) -> None:
        self.policy = policy
        self.names = tuple(harm_shares(policy))
        self.shares = np.array(list(harm_shares(policy).values()))
        self.growth = np.zeros((runs, len(POLICY.quantiles) + 2 + (2 * len(SEGMENTS) if policy.segments else 0), len(HIGHER)))
        self.seen = np.zeros((runs, 3))  # the canary's requests, its failures, its labels' events

    def see(self, weight: float, block: Block) -> None:
        streams = self.growth.shape[1]
        self.growth += log_growth(weight, block.every[:, :streams], block.canary[:, :streams])
        labels = 1 + len(POLICY.quantiles)
        self.seen += np.stack([block.own, block.canary[:, 0], block.canary[:, labels]], axis=1)

    def parts(self) -> Floats:
        """Log e-values in the order of `names`, shape (runs, parts)."""
        logs, labels = log_mean(self.growth), 1 + len(POLICY.quantiles)
        found = {"errors": logs[:, 0], "latency": log_mean(logs[:, 1:labels]), "labels": logs[:, labels]}
        for place, metric in enumerate(("errors", "labels"), 1):
            if metric in self.policy.objectives:
                found[f"objective.{metric}"] = log_e_above(self.seen[:, 0], self.seen[:, place], self.policy.objectives[metric])
        pairs = np.stack(np.split(logs[:, labels + 1 :], 2, axis=1), axis=-1) if self.policy.segments else None
        if pairs is not None:
            by_segment = log_mean(pairs)
            found |= {f"segment.carrier={value}": by_segment[:, i] for i, value in enumerate(SEGMENTS)}
        return np.stack([found[name] for name in self.names], axis=1)

    def harm(self, parts: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        return np.asarray(log_weighted_sum(parts, self.shares) >= -np.log(self.policy.alpha))

    def named(self, parts: Floats) -> list[set[str]]:
        """Whom each of these runs would name as harmed, as in judge.report."""
        weighted = parts + np.log(self.shares)
        bar = np.minimum(-np.log(self.policy.alpha * len(self.names)), weighted.max(axis=1))
        return [{self.names[i] for i in np.flatnonzero(row)} for row in weighted >= bar[:, None]]

    def keep(self, kept: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> None:
        self.growth, self.seen = self.growth[kept], self.seen[kept]


@dataclass(frozen=True)
class Said:
    """Requests until HARM, NEVER where it is not said, and who was named then."""

    crossed: Integers
    named: list[set[str]]


def judged(policy: JudgePolicy, rates: Rates, weights: Sequence[float], size: int, runs: int, seed: int) -> Said:
    """Rollouts with a look after each block of `size` requests."""
    random, judges, alive = np.random.default_rng(seed), Judges(policy, runs), np.arange(runs)
    crossed, named = np.full(runs, NEVER), []
    for look, weight in enumerate(weights, 1):
        judges.see(weight, draw(random, rates, weight, size, len(alive)))
        parts = judges.parts()
        harm = judges.harm(parts)
        if harm.any():
            crossed[alive[harm]] = look * size
            named += judges.named(parts[harm])
            alive = alive[~harm]
            judges.keep(~harm)
        if not len(alive):
            break
    return Said(crossed, named)
