"""Take a segment back to its champion before, or to the general one if it had none."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import ModelVersion
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Outcome, Plan, Rollout, Signal
from lockgate.kernel.errors import NotFound, Refused
from lockgate.ports.state import Reader, Writer
from lockgate.usecases.find_champions import champion_of, segment_champions
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_things import model_named, version_of
from lockgate.usecases.publish_routes import last_into_production
from lockgate.usecases.start_rollout import prepare_rollout
from lockgate.usecases.steer_rollout import give_signal


def return_in_segment(tx: Writer, model: str, segment: str, actor: Actor, now: datetime, reason: str, to: int | None) -> Rollout:
    """The rollout that takes the segment back, promoted already. The project file need not name the segment any more.

    Raises:
        NotFound: no such model, or the segment has no champion of its own. Refused: `to` is neither the one before nor the
        general champion, or is missing where the present one came by a roll-back.
    """
    model_named(tx, model)
    current, last, general = champion_of(tx, model, segment), last_into_production(tx, model, segment), champion_of(tx, model)
    if current is None or last is None or general is None:
        raise NotFound(f"segment {segment!r} of {model} has no champion of its own to go back from", hint=_others(tx, model))
    before = version_of(tx, model, last.baseline) if last.own and last.baseline is not None else None
    _check_meant(segment, current, (before or general, general), to, came_back=last.back)
    falls_back = before is None or to == general.version
    target = general if before is None or falls_back else before
    details = {"from": current.version, "to": target.version, "reason": reason, "segment": segment}
    tx.record(Happened(Action.ROLLED_BACK, actor.name, actor.authenticated, now, model, model, target.version, details))
    for other in rollouts_under_way(tx, model):  # shadows: they were compared with what goes
        if other.segment == segment:
            told = Outcome(other.verdict, detail=f"segment {segment} of {model} is rolled back to version {target.version}")
            give_signal(tx, other, Signal.ABORT, actor, now, told)
    opened = prepare_rollout(tx, target, PRODUCTION, actor, now, plan=Plan(), segment=segment)
    rollout = replace(
        opened,
        back=True,
        falls_back=falls_back,
        baseline=current.version,  # also one that is not in force
        baseline_digest=current.digest,
        own=True,
        segmentation=last.segmentation,  # what it goes back to came in for that part of the traffic
    )
    # What it goes back to is loaded in every worker: there is nothing to wait for.
    return give_signal(tx, rollout, Signal.PROVEN, actor, now, Outcome(None, detail=reason or "rolled back"))


def _others(tx: Reader, model: str) -> str:
    have = ", ".join(f"{segment!r} (version {number})" for segment, number in segment_champions(tx, model).items())
    return f"Segments that have one: {have or 'none'}. All others are the general champion's: lockgate rollback {model}"


def _check_meant(
    segment: str, current: ModelVersion, targets: tuple[ModelVersion, ModelVersion], to: int | None, *, came_back: bool
) -> None:
    """targets: the one before and the general champion; these two are loaded in every worker."""
    before, general = (one.version for one in targets)
    command = f"lockgate rollback {current.model} --segment {segment!r}"
    if to is None and came_back:
        raise Refused(
            f"version {current.version} of {current.model} came into segment {segment!r} by a roll-back from version {before}",
            hint=f"To go to that again: {command} --to {before}. To the general champion: {command} --to {general}",
        )
    if to is not None and to not in (before, general):
        raise Refused(
            f"version {to} of {current.model} is not kept warm for segment {segment!r}; {before} is"
            + (f", and the general champion {general}" if general != before else ", the general champion"),
            hint=f"lockgate request {current.model} {to} --to Production --segment {segment!r}",
        )
