"""Draws what the arms of a contest would be seen to do in a stretch of time: any number of them, by any shares."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.observations import FAILED
from lockgate.boundary.routes import Thresholds
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.stages.deliver.rehearsal.answers import Pieces, arm, pieces
from lockgate.stages.deliver.rehearsal.scenarios import Fault
from lockgate.stages.deliver.rehearsal.traffic import Floats, Traffic
from lockgate.stages.deliver.rehearsal.visits import Records, risks

Weights: TypeAlias = tuple[float, ...]
Integers = NDArray[np.int64]
Drawn: TypeAlias = tuple[list[ArmObservation], tuple[Records, ...]]  # by arm, the champion's first


@dataclass
class _LabelPost:
    """Labels on their way, with the shares by which their answers were assigned."""

    waiting: deque[tuple[float, Weights, tuple[Records, ...]]] = field(default_factory=deque)

    def send(self, due: float, weights: Weights, records: tuple[Records, ...]) -> None:
        if any(records):
            self.waiting.append((due, weights, records))

    def arrived(self, now: float) -> tuple[Observation, ...]:
        found: dict[Weights, tuple[Records, ...]] = {}
        while self.waiting and self.waiting[0][0] <= now:
            _, weights, records = self.waiting.popleft()
            before = found.get(weights, ((),) * len(records))
            found[weights] = tuple(had + more for had, more in zip(before, records, strict=True))
        return tuple(
            observation(weights, [ArmObservation(labels=one) for one in records]) for weights, records in sorted(found.items())
        )


def observation(weights: Weights, arms: Sequence[ArmObservation], until: float = 0.0) -> Observation:
    """arms: the champion's first, as weights."""
    champion, own, *others = arms
    return Observation(1.0 - weights[0], own, champion, until=until, others=tuple(others), weights=weights)


class Arms:
    """The champion, the version on trial, which may have a fault, and contenders that are as the champion is.

    labels: whether the contest's goal is of labels; there are some then.
    """

    def __init__(
        self, traffic: Traffic, fault: Fault, random: np.random.Generator, arms: int, *, sticky: bool, labels: bool
    ) -> None:
        self._traffic, self._fault, self._random, self._sticky = traffic, fault, random, sticky
        self._labels = traffic.labels if labels else None
        self._faults = (fault if fault.both else Fault(), fault, *(fault if fault.both else Fault(),) * (arms - 2))
        self._active = np.cumsum(traffic.activity)
        units = len(traffic.activity) if sticky else 1
        self._place, luck, other = (random.random(units) for _ in range(3))
        errors = [one.error_rate(traffic.errors) for one in self._faults]
        goals = [one.event_rate(traffic.labels.event_rate if traffic.labels else 0.0) for one in self._faults]
        self._failing = [risks(rate, luck) if sticky else np.array([rate]) for rate in errors]
        self._goal = [risks(rate, other) if sticky else np.array([rate]) for rate in goals]
        self._pieces: dict[int | None, list[Pieces]] = {}
        self._post, self._asked = _LabelPost(), 0

    def during(self, since: float, seconds: float, weights: Weights, thresholds: Thresholds | None) -> tuple[Observation, ...]:
        """What happened in these seconds while units met the arms by these weights, and the labels that came in them."""
        traffic, until = self._traffic, since + seconds
        requests = 0 if self._fault.silent else int(self._random.poisson(traffic.requests_per_second * seconds))
        seen, records = (self._by_unit if self._sticky else self._by_request)(requests, weights, self._pieces_of(thresholds))
        if self._labels is not None:
            self._post.send(until + self._labels.delay, weights, records)
        return ((observation(weights, seen, until),) if requests else ()) + self._post.arrived(until)

    def _by_request(self, requests: int, weights: Weights, of: Sequence[Pieces]) -> Drawn:
        """Counts are drawn, whatever their number; labels one by one."""
        random = self._random
        numbers = np.roll(random.multinomial(requests, self._met(weights)), 1).tolist()
        failing, goal = ([float(one[0]) for one in rates] for rates in (self._failing, self._goal))
        seen = [
            arm(random.multinomial(number, one.shares), one, int(random.binomial(number, rate)))
            for number, one, rate in zip(numbers, of, failing, strict=True)
        ]
        if self._labels is None:
            return seen, ()
        return seen, tuple(self._labelled(number, rate) for number, rate in zip(numbers, goal, strict=True))

    def _labelled(self, answers: int, rate: float) -> Records:
        labelled = int(self._random.binomial(answers, self._coverage))
        events = int(self._random.binomial(labelled, rate))
        first, self._asked = self._asked, self._asked + labelled
        return tuple((first + index, int(index < events)) for index in range(labelled))

    def _by_unit(self, requests: int, weights: Weights, of: Sequence[Pieces]) -> Drawn:
        """Units come again; where one stands on the ring decides by the shares of the moment whom it meets."""
        random = self._random
        who = np.searchsorted(self._active, random.random(requests) * self._active[-1], side="right")
        place = np.searchsorted(np.cumsum(self._met(weights))[:-1], self._place[who], side="right")
        asking = [who[(place + 1) % len(weights) == one] for one in range(len(weights))]
        seen = [self._arm(keys, one, rates) for keys, one, rates in zip(asking, of, self._failing, strict=True)]
        if self._labels is None:
            return seen, ()
        return seen, tuple(self._told(keys, rates) for keys, rates in zip(asking, self._goal, strict=True))

    def _met(self, weights: Weights) -> Floats:
        """How probably a unit meets each in truth: the version on trial, the contenders, the champion."""
        first = min(1.0, weights[1] * self._fault.router_ratio)
        met = np.array([first, *weights[2:], max(0.0, weights[0] - (first - weights[1]))])
        return np.asarray(met / met.sum())

    def _arm(self, keys: Integers, of: Pieces, failing: Floats) -> ArmObservation:
        random = self._random
        failed = random.random(len(keys)) < failing[keys]
        piece = np.searchsorted(np.cumsum(of.shares)[:-1], random.random(len(keys)), side="right")
        bits = failed * FAILED + of.bits[piece]
        units = tuple(zip(keys.tolist(), bits.tolist(), strict=True))
        return arm(np.bincount(piece, minlength=len(of.shares)), of, int(failed.sum()), units)

    def _told(self, keys: Integers, rates: Floats) -> Records:
        known = keys[self._random.random(len(keys)) < self._coverage]
        happened = self._random.random(len(known)) < rates[known]
        return tuple(zip(known.tolist(), happened.astype(int).tolist(), strict=True))

    @property
    def _coverage(self) -> float:
        return self._labels.coverage if self._labels and not self._fault.unlabelled else 0.0

    def _pieces_of(self, thresholds: Thresholds | None) -> list[Pieces]:
        of = thresholds.id if thresholds else None
        if of not in self._pieces:
            limits = (thresholds.champion, thresholds.canary) if thresholds else ((), ())
            latency = self._traffic.latency
            self._pieces[of] = [pieces(latency, one, limits[place > 0]) for place, one in enumerate(self._faults)]
        return self._pieces[of]
