"""What a tick adds to what the guard after a promotion knows: events that are their units' first, and units that are new."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lockgate.boundary.observations import FAILED
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.holds import Events, Outcomes, Told
from lockgate.stages.deliver.guard import Guard
from lockgate.stages.deliver.hold_memory import MOST_FOLLOWED, Followed, Seen
from lockgate.stages.deliver.judge.rules import Family, families
from lockgate.stages.deliver.judge.segments import JUDGED

Pair = tuple[int, int]


class News:
    """Of one window of the guard. Nothing of the guard's is changed: `guard.take` of the events does that."""

    def __init__(self, guard: Guard, window: int, *, arriving: bool) -> None:
        judge, self._guard, self._window, self._arriving = guard.judge, guard, window, arriving and guard.full
        self._found: dict[tuple[float, str], _Found] = {}
        every = families(judge)
        self._whole = _First(guard.memory.seen, every, sticky=guard.sticky)
        narrow = [family for family in every if family.metric in JUDGED]
        values = judge.segments.values if judge.segments else ()
        self._inside = {value: _First(guard.memory.inside.get(value, Seen()), narrow, sticky=guard.sticky) for value in values}
        self._requests = _Visits(guard.memory.requests, window, judge.requests_per_unit if "errors" in judge.objectives else 0)
        self._labels = _Visits(guard.memory.labels, window, judge.requests_per_unit if "labels" in judge.objectives else 0)

    def expect(self, every: Sequence[Observation]) -> None:
        """Said once, before they are taken: what a tick brings of units that are to be followed is followed whole or not at all.

        The first so many of them would be units of one version, and the router's fault.
        """
        if self._guard.sticky and (self._arriving or self._requests.horizon):
            self._requests.expect(key for one in every for arm in (one.canary, one.baseline) for key, _ in arm.units)
        if self._guard.sticky and self._labels.horizon:
            self._labels.expect(key for one in every for key, _ in one.canary.labels)

    def take(self, one: Observation) -> None:
        here = self._found.setdefault((one.weight, one.segment), _Found())
        here.until = max(here.until, one.until)
        for arm, promoted in ((one.canary, True), (one.baseline, False)):
            self._whole.take(arm, here.told, promoted=promoted)
            if one.segment in self._inside:
                self._inside[one.segment].take(arm, here.inside, promoted=promoted)
            if self._guard.sticky:
                self._follow(arm, here, promoted=promoted)
            else:
                self._count(arm, here, promoted=promoted)

    def events(self) -> tuple[Events, ...]:
        made = (self._found[key].events(*key, self._window) for key in sorted(self._found))
        return tuple(one for one in made if one.counts or one.inside.counts or one.arrived[0] or one.outcomes != Outcomes())

    def _count(self, arm: ArmObservation, here: _Found, *, promoted: bool) -> None:
        """Each request is a unit, and an outcome."""
        if self._arriving:
            here.arrive(arm.completed, promoted=promoted)
        if promoted and self._requests.horizon and arm.completed:
            here.outcome("errors", arm.completed, arm.failed)
        if promoted and self._labels.horizon and arm.labels:
            here.outcome("labels", len(arm.labels), sum(happened for _, happened in arm.labels))

    def _follow(self, arm: ArmObservation, here: _Found, *, promoted: bool) -> None:
        here.closed.update(name for name, of in (("requests", self._requests), ("labels", self._labels)) if of.closes)
        if self._arriving or self._requests.horizon:
            new, closed = self._requests.take([(key, bits & FAILED) for key, bits in arm.units], here.requests, counts=promoted)
            if self._arriving:
                here.arrive(new, promoted=promoted)
            if closed:
                here.outcome("errors", len(closed), sum(closed))
        if promoted and self._labels.horizon:
            _, closed = self._labels.take(arm.labels, here.labels, counts=True)
            if closed:
                here.outcome("labels", len(closed), sum(closed))


@dataclass(slots=True)
class _Told:
    """As in `Told`, while it is being gathered."""

    counts: dict[str, Pair] = field(default_factory=dict)
    units: list[Pair] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)

    def add(self, event: str, number: int, *, promoted: bool) -> None:
        if number:
            every, own = self.counts.get(event, (0, 0))
            self.counts[event] = every + number, own + (number if promoted else 0)


@dataclass(slots=True)
class _Found:
    """As in `Events`, while it is being gathered."""

    told: _Told = field(default_factory=_Told)
    inside: _Told = field(default_factory=_Told)
    arrived: Pair = (0, 0)
    until: float = 0.0
    trials: dict[str, Pair] = field(default_factory=dict)
    requests: list[tuple[int, int, int]] = field(default_factory=list)
    labels: list[tuple[int, int, int]] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)

    def arrive(self, units: int, *, promoted: bool) -> None:
        self.arrived = self.arrived[0] + units, self.arrived[1] + (units if promoted else 0)

    def outcome(self, metric: str, trials: int, events: int) -> None:
        had = self.trials.get(metric, (0, 0))
        self.trials[metric] = had[0] + trials, had[1] + events

    def events(self, weight: float, segment: str, window: int) -> Events:
        inside = Told(self.inside.counts, tuple(self.inside.units), tuple(self.inside.labels))
        return Events(
            weight,
            self.told.counts,
            tuple(self.told.units),
            tuple(self.told.labels),
            day=window,
            segment=segment,
            inside=inside,
            arrived=self.arrived,
            until=self.until if self.arrived[0] else 0.0,
            outcomes=Outcomes(self.trials, tuple(self.requests), tuple(self.labels), tuple(sorted(self.closed))),
        )


class _First:
    """The units' first events, beside those that the guard remembers."""

    def __init__(self, seen: Seen, counted: Sequence[Family], *, sticky: bool) -> None:
        self._seen, self._sticky = seen, sticky
        self._families = [family for family in counted if family.metric != "labels"]
        self._mask = sum(family.mask << family.shift for family in self._families)
        self._labelled = any(family.metric == "labels" for family in counted)
        self._units: dict[int, int] = {}
        self._labels: set[int] = set()

    def take(self, arm: ArmObservation, told: _Told, *, promoted: bool) -> None:
        if not self._sticky:
            self._requests(arm, told, promoted=promoted)
        for key, bits in arm.units if self._sticky else ():
            self._unit(key, bits, told, promoted=promoted)
        for key, happened in arm.labels if self._labelled else ():
            if happened and key not in self._seen.labels and key not in self._labels:
                self._labels.add(key)
                told.labels.append(key)
                told.add("labels", 1, promoted=promoted)

    def _requests(self, arm: ArmObservation, told: _Told, *, promoted: bool) -> None:
        for family in self._families:
            numbers = (arm.failed,) if family.metric == "errors" else arm.exceeded  # none while there are no thresholds
            for event, number in zip(family.events, numbers, strict=False):
                told.add(event, number, promoted=promoted)

    def _unit(self, key: int, bits: int, told: _Told, *, promoted: bool) -> None:
        had = self._units.get(key, self._seen.units.get(key, 0))
        new = bits & self._mask & ~had
        if not new:
            return
        self._units[key] = had | new
        told.units.append((key, new))
        for family in self._families:
            for bit, event in enumerate(family.events, family.shift):
                told.add(event, new >> bit & 1, promoted=promoted)


class _Visits:
    """The units that are followed, with what this tick added.

    horizon: visits after which a unit's outcome is known; 0: none. closes: this tick brought more new units than there was room
    for, so that no more of the window are followed from now on.
    """

    def __init__(self, followed: Followed, window: int, horizon: int) -> None:
        self.horizon = horizon
        self.closes = False
        self._followed = followed
        self._room = MOST_FOLLOWED - followed.begun.get(window, 0)
        self._open = window not in followed.closed
        self._now: dict[int, Pair] = {}

    def expect(self, keys: Iterable[int]) -> None:
        """How many come is no matter of which version they meet, so whether they are followed does not favour one."""
        if self._open and len({key for key in keys if key not in self._followed.units}) > self._room:
            self._open, self.closes = False, True

    def take(self, visits: Sequence[Pair], told: list[tuple[int, int, int]], *, counts: bool) -> tuple[int, list[int]]:
        """How many units are new, and of each window that closed whether the event was in it. visits: (key, the event or not).

        counts: whether it is the promoted version's visits, of which outcomes are made.
        """
        new, closed = 0, []
        for key, happened in visits:
            had = self._now.get(key, self._followed.units.get(key))
            if had is None and not self._open:
                continue
            visit = int(counts and (had or (0, 0))[0] < self.horizon)
            if had is None:
                new += 1
            elif not visit:
                continue
            number, before = had or (0, 0)
            self._now[key] = number + visit, before | (happened if visit else 0)
            told.append((key, visit, happened if visit else 0))
            if visit and number + visit == self.horizon:
                closed.append(self._now[key][1])
        return new, closed
