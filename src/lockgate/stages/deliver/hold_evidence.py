"""What of all that was observed in a hold-back is evidence, and what people are told of it.

The journal of a hold keeps events only, each unit's once, minute by minute: a hold lasts for days, and the guard never looks at
what went well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.holds import ArmFigures, Events, Hold
from lockgate.stages.deliver.guard import Guard
from lockgate.stages.deliver.judge.state import families

Pair = tuple[int, int]


def news(guard: Guard, observations: Iterable[Observation]) -> tuple[Events, ...]:
    """What is new to the guard, by weight. `canary` in the observations is the promoted version, `baseline` the one held back.

    A unit's event counts once in the hold, in the arm and under the weight of its first; so does a label's.
    """
    seen = _Seen(guard)
    found: dict[float, _Found] = {}
    for one in observations:
        if 0 < one.weight < 1:
            here = found.setdefault(one.weight, _Found())
            seen.take(one.canary, here, promoted=True)
            seen.take(one.baseline, here, promoted=False)
    return tuple(found[weight].events(weight) for weight in sorted(found) if found[weight].counts)


def together(some: Iterable[Events], more: Iterable[Events]) -> tuple[Events, ...]:
    """What came within the same minute, by weight."""
    found: dict[float, Events] = {}
    for one in (*some, *more):
        had = found.get(one.weight, Events(one.weight))
        counts = {event: _sum(had.counts.get(event, (0, 0)), new) for event, new in one.counts.items()}
        found[one.weight] = Events(one.weight, had.counts | counts, had.units + one.units, had.labels + one.labels)
    return tuple(found[weight] for weight in sorted(found))


def with_figures(hold: Hold, observations: Iterable[Observation]) -> Hold:
    """The hold with what people read of it."""
    for one in observations:
        hold = replace(hold, promoted=_figures(hold.promoted, one.canary), before=_figures(hold.before, one.baseline))
    return hold


def rates(hold: Hold) -> dict[str, tuple[Pair, Pair]]:
    """By event, (how often, of how many) for the promoted version and for the one held back."""
    promoted, before = hold.promoted, hold.before
    known = {
        "errors": ((promoted.failed, promoted.completed), (before.failed, before.completed)),
        "labels": ((promoted.happened, promoted.labelled), (before.happened, before.labelled)),
    }
    for family in families(hold.judge):
        if family.metric == "latency" and promoted.exceeded and before.exceeded:
            numbers = zip(family.events, promoted.exceeded, before.exceeded, strict=True)
            known |= {event: ((own, promoted.timed), (other, before.timed)) for event, own, other in numbers}
    events = [event for family in families(hold.judge) for event in family.events]
    return {event: known[event] for event in events if event in known}


def harm_told(hold: Hold, metrics: Iterable[str]) -> str:
    """`harm after the promotion of version 2: labels 21.30 % (64 of 300) against 9.80 % (290 of 2950) of version 1`"""
    decided = tuple(metrics)
    said = [
        f"{event} {_rate(own)} against {_rate(other)}"
        for event, (own, other) in rates(hold).items()
        if event.partition(".")[0] in decided
    ]
    return f"harm after the promotion of version {hold.version}: {'; '.join(said)} of version {hold.baseline}"


@dataclass(slots=True)
class _Found:
    """The new evidence under one weight, while it is being gathered."""

    counts: dict[str, Pair] = field(default_factory=dict)
    units: list[Pair] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)

    def add(self, event: str, number: int, *, promoted: bool) -> None:
        if number:
            self.counts[event] = _sum(self.counts.get(event, (0, 0)), (number, number if promoted else 0))

    def events(self, weight: float) -> Events:
        return Events(weight, self.counts, tuple(self.units), tuple(self.labels))


class _Seen:
    """The guard's ledgers, with what this tick added to them."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._families = [family for family in families(guard.judge) if family.metric != "labels"]
        self._mask = sum(family.mask << family.shift for family in self._families)
        self._labelled = "labels" in guard.judge.metrics
        self._units: dict[int, int] = {}
        self._labels: set[int] = set()

    def take(self, arm: ArmObservation, found: _Found, *, promoted: bool) -> None:
        if not self._guard.sticky:
            self._requests(arm, found, promoted=promoted)
        for key, bits in arm.units if self._guard.sticky else ():
            self._unit(key, bits, found, promoted=promoted)
        for key, happened in arm.labels if self._labelled else ():
            if happened and key not in self._guard.labels and key not in self._labels:
                self._labels.add(key)
                found.labels.append(key)
                found.add("labels", 1, promoted=promoted)

    def _requests(self, arm: ArmObservation, found: _Found, *, promoted: bool) -> None:
        for family in self._families:
            numbers = (arm.failed,) if family.metric == "errors" else arm.exceeded  # none while there are no thresholds
            for event, number in zip(family.events, numbers, strict=False):
                found.add(event, number, promoted=promoted)

    def _unit(self, key: int, bits: int, found: _Found, *, promoted: bool) -> None:
        had = self._units.get(key, self._guard.units.get(key, 0))
        new = bits & self._mask & ~had
        if not new:
            return
        self._units[key] = had | new
        found.units.append((key, new))
        for family in self._families:
            for bit, event in enumerate(family.events, family.shift):
                found.add(event, new >> bit & 1, promoted=promoted)


def _sum(one: Pair, other: Pair) -> Pair:
    return one[0] + other[0], one[1] + other[1]


def _figures(before: ArmFigures, arm: ArmObservation) -> ArmFigures:
    exceeded = arm.exceeded if arm.timed else ()
    if before.exceeded and exceeded:
        exceeded = tuple(had + more for had, more in zip(before.exceeded, exceeded, strict=True))
    return ArmFigures(
        before.completed + arm.completed,
        before.failed + arm.failed,
        before.timed + arm.timed,
        exceeded or before.exceeded,
        before.labelled + len(arm.labels),
        before.happened + sum(happened for _, happened in arm.labels),
    )


def _rate(of: Pair) -> str:
    events, trials = of
    share = f"{events / trials:.2%}".replace("%", " %") if trials else "nothing yet"
    return f"{share} ({events} of {trials})"
