"""Go back to a version that is not kept warm: it serves as soon as every worker has loaded it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import ModelVersion
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Outcome, Phase, Plan, Rollout, Signal
from lockgate.ports.state import LEARNINGS, ROLLOUTS, Reader, Writer
from lockgate.stages.deliver.rollout import entering
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_things import version_of
from lockgate.usecases.start_rollout import open_rollout, standing_in
from lockgate.usecases.steer_rollout import give_signal

_PAGE = 100  # rollouts


def return_by_loading(tx: Writer, version: ModelVersion, actor: Actor, now: datetime, reason: str) -> Rollout:
    """The rollout that puts the version back; until its package is loaded the present champion answers.

    Raises:
        Conflict: it is in Production already.
    """
    model, current = version.model, standing_in(tx, version.model, PRODUCTION)
    for other in rollouts_under_way(tx, model):
        if not other.segment and (other.version == version.version or other.environment == PRODUCTION):
            told = Outcome(other.verdict, detail=f"{model} is rolled back to version {version.version}")
            give_signal(tx, other, Signal.ABORT, actor, now, told)
    rollout = replace(open_rollout(tx, version_of(tx, model, version.version), PRODUCTION, actor, now, plan=Plan()), back=True)
    tx.put(ROLLOUTS, rollout)
    details = {"from": current.version if current else 0, "to": version.version, "reason": reason}
    tx.record(
        Happened(Action.ROLLED_BACK, actor.name, actor.authenticated, now, model, model, version.version, dict(details)),
    )
    return rollout


def learned_before(tx: Reader, model: str, number: int) -> ModelVersion | None:
    """The version, if the model learns online and it stood in Production: evidence or people had brought it there."""
    if tx.get(LEARNINGS, model) is None:
        return None
    return next((one for one in stood_in_production(tx, model) if one.version == number), None)


def stood_in_production(tx: Reader, model: str) -> Iterator[ModelVersion]:
    """What was in Production at any time, the newest first, each once; the present champion is the first."""
    seen: set[int] = set()
    for rollout in _promoted(tx, model):
        for number in (entering(rollout), rollout.baseline):
            if number is not None and number not in seen:
                seen.add(number)
                yield version_of(tx, model, number)


def _promoted(tx: Reader, model: str) -> Iterator[Rollout]:
    offset = 0
    while page := tx.find(ROLLOUTS, model=model, phase=Phase.PROMOTED.value, newest_first=True, limit=_PAGE, offset=offset):
        yield from (one for one in page if one.environment == PRODUCTION and not one.segment)
        offset += _PAGE
