"""What of all that was observed in a hold-back is evidence, and what people are told of it.

The journal of a hold keeps events, each unit's once in a window, minute by minute: a hold lasts for days, and the guard hardly
looks at what went well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lockgate.boundary.observations import Cell, Feedback
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.holds import ArmFigures, Events, Hold, HoldRow, Outcomes, Told
from lockgate.kernel.quantities import format_share
from lockgate.stages.deliver.evidence import observations
from lockgate.stages.deliver.guard import Guard
from lockgate.stages.deliver.hold_back import window_of
from lockgate.stages.deliver.hold_news import News
from lockgate.stages.deliver.journal import BY_REQUEST
from lockgate.stages.deliver.judge.margins import objective_name, segment_name
from lockgate.stages.deliver.judge.router import assigned
from lockgate.stages.deliver.judge.rules import families

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Window:
    """What was observed of the units of one window. arriving: whether those that are new in it were assigned anew by its salt."""

    number: int
    arriving: bool
    observations: tuple[Observation, ...]


def windows(hold: Hold, cells: Iterable[Cell], labels: Iterable[Feedback]) -> tuple[Window, ...]:
    """In their order. What was assigned by the rollout's steps belongs to the first window, whose salt is the rollout's.

    Raises:
        Invalid: cells that do not fit each other.
    """
    again = hold.unit != BY_REQUEST
    parts: dict[int, tuple[list[Cell], list[Feedback]]] = {}
    for cell in cells:
        parts.setdefault(_place(hold, cell, again=again), ([], []))[0].append(cell)
    for label in labels:
        parts.setdefault(_place(hold, label, again=again), ([], []))[1].append(label)
    known = 0 if again else _BEFORE  # units that come again met a version before, and still do in the first window
    found = (Window(max(place, 0), place > known, observations(hold, *parts[place])) for place in sorted(parts))
    return tuple(one for one in found if one.observations)


_BEFORE = -1  # in place of a window: assigned before the hold began


def _place(hold: Hold, item: Cell | Feedback, *, again: bool) -> int:
    window = window_of(hold, item.revision)
    return window if window is not None else 0 if again else _BEFORE


def news(guard: Guard, observed: Iterable[Observation], window: int = 0, *, arriving: bool = True) -> tuple[Events, ...]:
    """What is new to the guard, by weight and segment. `canary` in the observations is the promoted version, `baseline` the one
    held back.

    A unit's event counts once in the window, in the arm and under the weight of its first; so does a label's.
    """
    found, some = News(guard, window, arriving=arriving), [one for one in observed if 0 < one.weight < 1]
    found.expect(some)
    for one in some:
        found.take(one)
    return found.events()


def together(some: Iterable[Events], more: Iterable[Events]) -> tuple[Events, ...]:
    """What came within the same minute, by window, weight and segment."""
    found: dict[tuple[int, float, str], Events] = {}
    for one in (*some, *more):
        key = (one.day, one.weight, one.segment)
        found[key] = _both(found[key], one) if key in found else one
    return tuple(found[key] for key in sorted(found))


def is_long(row: HoldRow) -> bool:
    """Whether a row is too much to be written anew with every tick of its minute. With sticky units, whose blocks are days, what
    comes next may be a row of its own.
    """
    return sum(len(one.units) + len(one.outcomes.requests) + len(one.outcomes.labels) for one in row.events) > _LONG


_LONG = 1000  # units


def _both(had: Events, new: Events) -> Events:
    return replace(
        had,
        counts=_added(had.counts, new.counts),
        units=had.units + new.units,
        labels=had.labels + new.labels,
        inside=Told(
            _added(had.inside.counts, new.inside.counts),
            had.inside.units + new.inside.units,
            had.inside.labels + new.inside.labels,
        ),
        arrived=_sum(had.arrived, new.arrived),
        until=max(had.until, new.until),
        outcomes=Outcomes(
            _added(had.outcomes.trials, new.outcomes.trials),
            had.outcomes.requests + new.outcomes.requests,
            had.outcomes.labels + new.outcomes.labels,
            tuple(sorted({*had.outcomes.closed, *new.outcomes.closed})),
        ),
    )


def with_figures(hold: Hold, observed: Iterable[Observation]) -> Hold:
    """The hold with what people read of it."""
    declared = hold.judge.segments.values if hold.full and hold.judge.segments else ()
    inside = dict(hold.inside)
    for one in observed:
        hold = replace(hold, promoted=_figures(hold.promoted, one.canary), before=_figures(hold.before, one.baseline))
        if one.segment in declared:
            own, other = inside.get(one.segment, (ArmFigures(), ArmFigures()))
            inside[one.segment] = _figures(own, one.canary), _figures(other, one.baseline)
    return replace(hold, inside=inside)


def rates(hold: Hold) -> dict[str, tuple[Pair, Pair]]:
    """By event, (how often, of how many) for the promoted version and for the one held back; `segment.KEY=VALUE/errors` too."""
    promoted, before = hold.promoted, hold.before
    known = _counted(promoted, before)
    for family in families(hold.judge):
        if family.metric == "latency" and promoted.exceeded and before.exceeded:
            numbers = zip(family.events, promoted.exceeded, before.exceeded, strict=True)
            known |= {event: ((own, promoted.timed), (other, before.timed)) for event, own, other in numbers}
    events = [event for family in families(hold.judge) for event in family.events]
    found = {event: known[event] for event in events if event in known}
    if hold.judge.segments:
        for value, both in sorted(hold.inside.items()):
            name = segment_name(hold.judge.segments, value)
            found |= {f"{name}/{metric}": of for metric, of in _counted(*both).items() if metric in hold.judge.metrics}
    return found


def _counted(promoted: ArmFigures, before: ArmFigures) -> dict[str, tuple[Pair, Pair]]:
    return {
        "errors": ((promoted.failed, promoted.completed), (before.failed, before.completed)),
        "labels": ((promoted.happened, promoted.labelled), (before.happened, before.labelled)),
    }


def harm_told(hold: Hold, metrics: Sequence[str]) -> str:
    """`harm after the promotion of version 2: labels 21.30 % (64 of 300) against 9.80 % (290 of 2950) of version 1`"""
    known = rates(hold)
    said = [f"{event} {_rate(own)} against {_rate(other)}" for event, (own, other) in known.items() if _part(event) in metrics]
    against = f"{'; '.join(said)} of version {hold.baseline}" if said else ""
    of = "" if hold.unit == BY_REQUEST else " of units"
    limits = [
        f"{metric} {_rate(known[metric][0])}, at most {format_share(limit)}{of} expected"
        for metric, limit in sorted(hold.judge.objectives.items())
        if objective_name(metric) in metrics
    ]
    told = "; ".join([*([against] if against else []), *limits]) or "to segments with few units"
    return f"harm after the promotion of version {hold.version}: {told}"


def _part(event: str) -> str:
    """The name in HARM's sum: `latency` of `latency.p99`, `segment.carrier=AA` of `segment.carrier=AA/errors`."""
    return event.rpartition("/")[0] if "/" in event else event.partition(".")[0]


def fault_told(guard: Guard) -> str:
    """`100 of 4000 units met the promoted version where 3800 were expected: nothing can be compared`"""
    met = assigned(guard.arrivals.plus(guard.arriving, guard.until, guard.judge.settled))
    return f"{met.canary} of {met.units} met the promoted version where {met.expected:.0f} were expected: nothing can be compared"


def _added(some: dict[str, Pair], more: dict[str, Pair]) -> dict[str, Pair]:
    return some | {name: _sum(some.get(name, (0, 0)), counts) for name, counts in more.items()}


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
