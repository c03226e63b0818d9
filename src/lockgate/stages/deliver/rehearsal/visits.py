"""Draws what both arms would be seen to do in a stretch of time: the observations that a rollout's judge is told."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np

from lockgate.boundary.observations import FAILED
from lockgate.boundary.routes import Thresholds
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.stages.deliver.rehearsal.answers import Pieces, arm, pieces
from lockgate.stages.deliver.rehearsal.scenarios import Fault
from lockgate.stages.deliver.rehearsal.traffic import Floats, Traffic

Records: TypeAlias = tuple[tuple[int, int], ...]

MOST_UNLUCKY = 10.0  # times the average risk: units differ in how often they fail


class Visits(Protocol):
    def during(self, since: float, seconds: float, weight: float, thresholds: Thresholds | None) -> tuple[Observation, ...]:
        """What happened in these seconds, and the labels that came in them; nothing if nothing did.

        since: seconds from the beginning; stretches follow each other. weight: the canary's. thresholds: once they are set.
        """
        ...


def visits(traffic: Traffic, fault: Fault, random: np.random.Generator, *, sticky: bool, labels: bool) -> Visits:
    """sticky: units come again and keep their arm; `traffic.activity` says which units there are. labels: they are judged."""
    drawn = _Drawn(traffic, fault, random, labels=labels and traffic.labels is not None)
    return _ByUnit(drawn) if sticky else _ByRequest(drawn)


@dataclass
class _LabelPost:
    """Labels on their way. They come one after the other under the weight by which their answer was assigned."""

    waiting: deque[tuple[float, float, Records, Records]] = field(default_factory=deque)

    def send(self, due: float, weight: float, canary: Records, baseline: Records) -> None:
        if canary or baseline:
            self.waiting.append((due, weight, canary, baseline))

    def arrived(self, now: float) -> tuple[Observation, ...]:
        found: dict[float, tuple[Records, Records]] = {}
        while self.waiting and self.waiting[0][0] <= now:
            _, weight, canary, baseline = self.waiting.popleft()
            before = found.get(weight, ((), ()))
            found[weight] = (before[0] + canary, before[1] + baseline)
        return tuple(
            Observation(weight, ArmObservation(labels=canary), ArmObservation(labels=baseline))
            for weight, (canary, baseline) in sorted(found.items())
        )


class _Drawn:
    """What both kinds of units have in common. Of pairs the canary's comes first."""

    def __init__(self, traffic: Traffic, fault: Fault, random: np.random.Generator, *, labels: bool) -> None:
        self.traffic, self.random = traffic, random
        self.faults = (fault, fault if fault.both else Fault())
        self.errors = tuple(one.error_rate(traffic.errors) for one in self.faults)
        self.labels = traffic.labels if labels else None
        self.events = tuple(one.event_rate(traffic.labels.event_rate if traffic.labels else 0.0) for one in self.faults)
        self.post = _LabelPost()
        self._silent = fault.silent
        self._pieces: dict[int | None, tuple[Pieces, Pieces]] = {}

    def requests(self, seconds: float) -> int:
        return 0 if self._silent else int(self.random.poisson(self.traffic.requests_per_second * seconds))

    def share(self, weight: float) -> float:
        """How probably a unit meets the canary in truth."""
        return min(1.0, weight * self.faults[0].router_ratio)

    def pieces(self, thresholds: Thresholds | None) -> tuple[Pieces, Pieces]:
        of = thresholds.id if thresholds else None
        if of not in self._pieces:
            limits = (thresholds.canary, thresholds.champion) if thresholds else ((), ())
            canary, baseline = (
                pieces(self.traffic.latency, fault, limit) for fault, limit in zip(self.faults, limits, strict=True)
            )
            self._pieces[of] = canary, baseline
        return self._pieces[of]


class _ByRequest:
    """Each request is a unit of its own: counts are drawn, whatever their number."""

    def __init__(self, drawn: _Drawn) -> None:
        self._drawn = drawn
        self._labelled = 0

    def during(self, since: float, seconds: float, weight: float, thresholds: Thresholds | None) -> tuple[Observation, ...]:
        drawn, random = self._drawn, self._drawn.random
        requests = drawn.requests(seconds)
        own = int(random.binomial(requests, drawn.share(weight)))
        numbers = (own, requests - own)
        arms = [
            arm(random.multinomial(number, of.shares), of, int(random.binomial(number, errors)))
            for number, of, errors in zip(numbers, drawn.pieces(thresholds), drawn.errors, strict=True)
        ]
        if drawn.labels:
            canary, baseline = (self._labels(number, rate) for number, rate in zip(numbers, drawn.events, strict=True))
            drawn.post.send(since + seconds + drawn.labels.delay, weight, canary, baseline)
        seen = (Observation(weight, *arms, until=since + seconds),) if requests else ()
        return seen + drawn.post.arrived(since + seconds)

    def _labels(self, answers: int, event_rate: float) -> Records:
        drawn = self._drawn
        labelled = int(drawn.random.binomial(answers, drawn.labels.coverage)) if drawn.labels else 0
        events = int(drawn.random.binomial(labelled, event_rate))
        first, self._labelled = self._labelled, self._labelled + labelled
        return tuple((first + index, int(index < events)) for index in range(labelled))


class _ByUnit:
    """Units come again. Where a unit stands on the ring and how unlucky it is are its own, and the same in both arms."""

    def __init__(self, drawn: _Drawn) -> None:
        self._drawn = drawn
        random, units = drawn.random, len(drawn.traffic.activity)
        self._asked = np.cumsum(drawn.traffic.activity)
        self._place = random.random(units)
        luck = random.random(units)
        self._risks = [risks(rate, luck) for rate in drawn.errors]
        luck = random.random(units)
        self._events = [risks(rate, luck) for rate in drawn.events]

    def during(self, since: float, seconds: float, weight: float, thresholds: Thresholds | None) -> tuple[Observation, ...]:
        drawn = self._drawn
        requests = drawn.requests(seconds)
        who = np.searchsorted(self._asked, drawn.random.random(requests) * self._asked[-1], side="right")
        own = self._place[who] < drawn.share(weight)
        asking = (who[own], who[~own])
        arms = [
            self._arm(units, of, risks) for units, of, risks in zip(asking, drawn.pieces(thresholds), self._risks, strict=True)
        ]
        if drawn.labels:
            canary, baseline = (self._labels(units, rates) for units, rates in zip(asking, self._events, strict=True))
            drawn.post.send(since + seconds + drawn.labels.delay, weight, canary, baseline)
        seen = (Observation(weight, *arms, until=since + seconds),) if requests else ()
        return seen + drawn.post.arrived(since + seconds)

    def _arm(self, units: np.ndarray, of: Pieces, risks: Floats) -> ArmObservation:
        random = self._drawn.random
        failed = random.random(len(units)) < risks[units]
        piece = np.searchsorted(np.cumsum(of.shares)[:-1], random.random(len(units)), side="right")
        bits = failed * FAILED + of.bits[piece]
        counts = np.bincount(piece, minlength=len(of.shares))
        return arm(counts, of, int(failed.sum()), tuple(zip(units.tolist(), bits.tolist(), strict=True)))

    def _labels(self, units: np.ndarray, rates: Floats) -> Records:
        drawn = self._drawn
        coverage = drawn.labels.coverage if drawn.labels else 0.0
        known = units[drawn.random.random(len(units)) < coverage]
        happened = drawn.random.random(len(known)) < rates[known]
        return tuple(zip(known.tolist(), happened.astype(int).tolist(), strict=True))


def risks(rate: float, luck: Floats) -> Floats:
    """Each unit's own rate: `rate` on average over luck, which is uniform on [0, 1), and at most MOST_UNLUCKY times as much."""
    if rate <= 0:
        return np.zeros_like(luck)
    power = min(MOST_UNLUCKY, 1 / rate) - 1
    return np.asarray((1 + power) * rate * luck**power)
