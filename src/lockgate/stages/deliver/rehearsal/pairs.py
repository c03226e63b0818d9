"""Draws what a shadow would be seen to do in a stretch of time: pairs of answers, and the labels that come for them.

A pair differs with one probability, whoever asks the question: where the shadow is as good, `Traffic.differing` of the answers
differ, and of the labelled ones as many have the judged event on one side alone, as often on either. Where it is worse, the
shadow's side has it more often by the difference of the two rates.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.observations import DISAGREED, FAILED
from lockgate.domain.evidence import ArmObservation, Observation, Pairs
from lockgate.domain.pairs import MOST_WAITING
from lockgate.stages.deliver.rehearsal.scenarios import Fault
from lockgate.stages.deliver.rehearsal.traffic import Labels, Traffic
from lockgate.stages.deliver.rehearsal.visits import risks

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
_NOBODY: Integers = np.zeros(0, np.int64)


@dataclass
class _Waiting:
    """Scores of a shadow that wait for their labels, as production keeps them: of so many, ever smaller shares.

    never: those whose label will not come. kept: the share of new ones that is kept.
    """

    random: np.random.Generator
    due: deque[tuple[float, Integers, Flags, Flags]] = field(default_factory=deque)
    never: int = 0
    kept: float = 1.0

    def takes(self, answers: int) -> int:
        """Of so many new scores those that are kept. What is waiting is thinned out until there is room for them."""
        taken = int(self.random.binomial(answers, self.kept))
        while self.never + sum(len(one[1]) for one in self.due) + taken > MOST_WAITING:
            self._halve()
            taken = int(self.random.binomial(taken, 0.5))
        return taken

    def send(self, due: float, keys: Integers, own: Flags, other: Flags, coverage: float) -> None:
        """What is kept of the new ones."""
        comes = self.random.random(len(keys)) < coverage
        self.never += int((~comes).sum())
        self.due.append((due, keys[comes], own[comes], other[comes]))

    def _halve(self) -> None:
        self.kept /= 2
        self.never = int(self.random.binomial(self.never, 0.5))
        halves = ((one, self.random.random(len(one[1])) < 0.5) for one in self.due)  # noqa: PLR2004 - a half
        self.due = deque((at, keys[half], own[half], other[half]) for (at, keys, own, other), half in halves)

    def arrived(self, now: float) -> tuple[ArmObservation, ArmObservation] | None:
        """The labels of the shadow's side and of the champion's, in one order."""
        came = []
        while self.due and self.due[0][0] <= now:
            came.append(self.due.popleft())
        keys, own, other = (np.concatenate([one[part] for one in came] or [_NOBODY]) for part in (1, 2, 3))
        if not len(keys):
            return None
        sides = (tuple(zip(keys.tolist(), side.astype(int).tolist(), strict=True)) for side in (own, other))
        shadow, champion = (ArmObservation(labels=records) for records in sides)
        return shadow, champion


class Asked:
    """Where each request is a unit all of them have the same risks; units that come again have risks of their own; for none
    is the shadow worse than for others: where one of the two alone has an event, it is as likely the shadow for all of them.

    labels: they are judged.
    """

    def __init__(self, traffic: Traffic, fault: Fault, random: np.random.Generator, *, sticky: bool, labels: bool) -> None:
        self._traffic, self._fault, self._random, self._sticky = traffic, fault, random, sticky
        self._labels = traffic.labels if labels else None
        self._waiting = _Waiting(random)
        self._asked = 0
        units = len(traffic.activity) if sticky else 1
        self._active, self._place = np.cumsum(traffic.activity), random.random(units)
        alone, self._own_part, both = _labelled(traffic, fault)
        rates = (fault.error_rate(traffic.errors), fault.differs(traffic), alone, both)
        self._failing, self._differing, self._alone, self._both = (
            risks(rate, random.random(units)) if sticky else np.array([rate]) for rate in rates
        )

    def during(self, since: float, seconds: float, share: float) -> tuple[Observation, ...]:
        """What happened in these seconds while it was asked about this share of the units, and the labels that came in them."""
        requests = 0 if self._fault.silent else int(self._random.poisson(self._traffic.requests_per_second * seconds))
        own, met, answered = (self._by_unit if self._sticky else self._by_request)(requests, share)
        until = since + seconds
        if self._labels is not None:
            self._send(until + self._labels.delay, answered, self._labels)
        seen = (Observation(share, own, ArmObservation(completed=requests), pairs=met),) if own.completed else ()
        came = self._waiting.arrived(until)
        return seen if came is None else (*seen, Observation(share, *came))

    def _by_request(self, requests: int, share: float) -> tuple[ArmObservation, Pairs, int]:
        """Counts are drawn, whatever their number."""
        asked = int(self._random.binomial(requests, share))
        failed = int(self._random.binomial(asked, self._failing[0]))
        disagreed = int(self._random.binomial(asked - failed, self._differing[0]))
        return ArmObservation(completed=asked, failed=failed), Pairs(asked - failed - disagreed, disagreed), asked - failed

    def _by_unit(self, requests: int, share: float) -> tuple[ArmObservation, Pairs, Integers]:
        random = self._random
        who = np.searchsorted(self._active, random.random(requests) * self._active[-1], side="right")
        keys = who[self._place[who] < share]
        failed = random.random(len(keys)) < self._failing[keys]
        differs = ~failed & (random.random(len(keys)) < self._differing[keys])
        bits = failed * FAILED + differs * DISAGREED
        units = tuple(zip(keys.tolist(), bits.tolist(), strict=True))
        met = Pairs(int((~failed & ~differs).sum()), int(differs.sum()))
        return ArmObservation(completed=len(keys), failed=int(failed.sum()), units=units), met, keys[~failed]

    def _send(self, due: float, answered: int | Integers, labels: Labels) -> None:
        """Whether the judged event happened, by the shadow's score and by the champion's. answered: how many, or by whom."""
        random = self._random
        if isinstance(answered, int):
            first, number = self._asked, self._waiting.takes(answered)
            self._asked += number
            keys, place = np.arange(first, first + number), np.zeros(number, np.int64)
        else:
            keys = place = random.choice(answered, self._waiting.takes(len(answered)), replace=False)
        alone = random.random(len(keys)) < self._alone[place]
        both = ~alone & (random.random(len(keys)) < self._both[place])
        mine = random.random(len(keys)) < self._own_part
        own, other = both | (alone & mine), both | (alone & ~mine)
        self._waiting.send(due, keys, own, other, 0.0 if self._fault.unlabelled else labels.coverage)


def _labelled(traffic: Traffic, fault: Fault) -> tuple[float, float, float]:
    """How often one of the two alone has the judged event, in which part of these it is the shadow, and how often, where neither
    is alone, both have it.
    """
    before = traffic.labels.event_rate if traffic.labels else 0.0
    after = fault.event_rate(before)
    apart = max(fault.differs(traffic), abs(after - before))
    other = min((apart - (after - before)) / 2, before)
    own = min(other + after - before, 1 - before)
    alone = own + other
    return alone, own / alone if alone else 0.0, (before - other) / (1 - alone) if alone < 1 else 0.0
