"""Who answers the segments that may have a champion of their own, since when, and what is on trial there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lockgate.boundary.routes import Segmentation
from lockgate.domain.events import Action
from lockgate.domain.models import alias_of, segment_of
from lockgate.domain.rollouts import Phase, Rollout, Strategy
from lockgate.entrypoints.reading.words import percent
from lockgate.ports.state import ALIASES, Reader
from lockgate.stages.deliver.rollout import met
from lockgate.usecases.find_champions import told_apart, told_by
from lockgate.usecases.find_holds import holds_under_way
from lockgate.usecases.find_rollouts import last_into_each, rollouts_under_way


@dataclass(frozen=True, slots=True)
class Trial:
    """share: of the segment's units that the version answers or, as a shadow, is asked about."""

    rollout: str
    version: int
    strategy: Strategy
    phase: Phase
    share: float


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """champion: its own, None while the general one answers. since, by: when it became that, and through whom.

    in_force: whether the segment may have a champion, and the one that it has answers there. Otherwise the general champion does,
    whatever `champion` says; withheld: why, for people.
    """

    segment: str
    champion: int | None
    since: datetime | None
    by: str | None
    in_force: bool
    trials: tuple[Trial, ...] = ()
    withheld: str = ""


def live_segments(tx: Reader, models: Iterable[str]) -> dict[str, tuple[LiveSegment, ...]]:
    """Of each model, in the order of its project file; then those that it names no more and that have a champion still."""
    holds, champions = {one.model: one for one in holds_under_way(tx)}, _champions(tx)
    rollouts: dict[str, list[Rollout]] = defaultdict(list)
    for one in rollouts_under_way(tx):
        rollouts[one.model].append(one)
    told = {model: told_apart(tx, model, rollouts[model], holds.get(model)) for model in models}
    return {model: _of(tx, model, segments, champions[model], rollouts[model]) for model, segments in told.items()}


def _champions(tx: Reader) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for alias in tx.find(ALIASES):
        if segment := segment_of(alias.name):
            found[alias.model][segment] = alias.version
    return found


def _of(
    tx: Reader, model: str, segmentation: Segmentation | None, champions: dict[str, int], rollouts: Sequence[Rollout]
) -> tuple[LiveSegment, ...]:
    declared = segmentation.values if segmentation else ()
    names = (*declared, *(name for name in champions if name not in declared))
    came = last_into_each(tx, model, champions)
    trials = [one for one in rollouts if one.segment]
    return tuple(_live(tx, model, name, champions.get(name), _withheld(name, segmentation, came), trials) for name in names)


def _withheld(segment: str, segmentation: Segmentation | None, came: Mapping[str, Rollout]) -> str:
    """Why no champion of the segment's own answers there; "" if one may. came: by segment that has one, how it came in."""
    if segmentation is None or segment not in segmentation.values:
        return "lockgate.yaml does not name the segment any more"
    if segment not in came or told_by(came[segment]) == segmentation.by:
        return ""
    return f"it came in for {told_by(came[segment]) or 'no header or field'}, and segments are told by {segmentation.by} now"


def _live(tx: Reader, model: str, segment: str, champion: int | None, withheld: str, trials: Sequence[Rollout]) -> LiveSegment:
    since, by = _named(tx, model, segment, champion) if champion else (None, None)
    there = sorted((one for one in trials if one.segment == segment), key=lambda one: (one.started_at, one.id))
    told = tuple(Trial(one.id, one.version, one.strategy, one.phase, met(one)) for one in there)
    return LiveSegment(segment, champion, since, by, not withheld, told, withheld)


def _named(tx: Reader, model: str, segment: str, version: int) -> tuple[datetime | None, str | None]:
    for event in tx.events(subject=f"{model}/{version}", newest_first=True):
        happened = event.happened
        if happened.action is Action.ALIAS_SET and happened.details.get("alias") == alias_of(segment):
            return happened.at, happened.actor
    return None, None


def segment_clause(one: LiveSegment) -> str:
    """`segment JFK: version 2 answers, version 3 at 20 % (rollout-…)`; empty where the general champion answers undisputed."""
    if not one.champion and not one.trials:
        return ""
    if not one.in_force:
        answers = f"version {one.champion} is not in force, {one.withheld}"
    else:
        answers = f"version {one.champion} answers" if one.champion else "the general champion answers"
    return f"segment {one.segment}: {', '.join([answers, *map(trial_clause, one.trials)])}"


def trial_clause(one: Trial) -> str:
    share = "previewed" if one.phase is Phase.PREVIEW else f"at {percent(one.share)}"
    return f"version {one.version} {'as a shadow' if one.strategy is Strategy.SHADOW else share} ({one.rollout})"


def champions_clause(champions: dict[str, int]) -> str:
    """`JFK 2, LGA 3`: of each segment its own champion."""
    return ", ".join(f"{segment} {version}" for segment, version in champions.items())
