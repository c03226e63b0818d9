"""One person's yes to the next step of a rollout. The one that completes the number takes the step in the same transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lockgate.domain.environments import STAGE_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor, folded
from lockgate.domain.rollouts import Outcome, Rollout, Signal, StepApproval
from lockgate.kernel.errors import Conflict
from lockgate.kernel.quantities import format_share
from lockgate.ports.state import ROLLOUTS, Reader, Writer
from lockgate.stages.deliver.rollout import asked_for, awaited_step, said_yes
from lockgate.usecases.find_rule import check_person, known_as, rule_for
from lockgate.usecases.find_things import request_by, rollout_by, version_of
from lockgate.usecases.steer_rollout import give_signal
from lockgate.usecases.world import World


def approve_step(world: World, rollout_id: str, actor: Actor, comment: str = "", share: float | None = None) -> Rollout:
    """The rollout with one yes more, or with its next step begun.

    share: of the step that is meant, 0..1: a yes to one step is never taken for a yes to another. None: whichever is asked for.

    Raises:
        NotFound: no such rollout. Conflict: it asks for no yes now, asks for one to another step, has this person's already, or
        its version is no longer the one that it brings. Refused: the environment's policy excludes this person.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        rollout = rollout_by(tx, rollout_id)
        step = _asked(rollout, share)
        _check_may_approve(tx, rollout, step, actor)
        given = replace(rollout, approvals=(*rollout.approvals, StepApproval(step, actor.name, now, comment)))
        return _keep(tx, given, step, actor, now, comment)


def _asked(rollout: Rollout, share: float | None) -> int:
    step = awaited_step(rollout)
    if step is None:
        raise Conflict(
            f"rollout {rollout.id} is {rollout.phase.value}: it asks for nobody's yes, and one not asked for does not count",
            hint=f"See what it waits for: lockgate rollout status {rollout.id}",
        )
    asked = rollout.steps[step]
    if share is not None and share != asked:
        raise Conflict(
            f"rollout {rollout.id} asks for a yes to its step of {format_share(asked)}, not of {format_share(share)}",
            hint=f"lockgate rollout approve {rollout.id} --share {format_share(asked)}",
        )
    return step


def _check_may_approve(tx: Reader, rollout: Rollout, step: int, actor: Actor) -> None:
    version = version_of(tx, rollout.model, rollout.version)
    if version.digest != rollout.digest:
        raise Conflict(
            f"rollout {rollout.id} brings {rollout.digest}, version {version.version} is {version.digest} now",
            hint=f"Send it home: lockgate rollout abort {rollout.id}",
        )
    meant = f"the step of {format_share(rollout.steps[step])} of rollout {rollout.id}"
    if not known_as(tx, actor).isdisjoint(map(folded, said_yes(rollout, step))):
        raise Conflict(
            f"{actor.name} has already said yes to {meant}",
            hint=f"{asked_for(rollout, step)} more must come from other people.",
        )
    requester = request_by(tx, rollout.request).requester if rollout.request else rollout.started_by
    rule = rule_for(tx, rollout.model, STAGE_OF[rollout.environment])
    check_person(tx, rule, version, requester, actor, f"rollout {rollout.id}")


def _keep(tx: Writer, given: Rollout, step: int, actor: Actor, now: datetime, comment: str) -> Rollout:
    missing = asked_for(given, step)
    details: dict[str, object] = {
        "step": step,
        "share": given.steps[step],
        "still_needed": missing,
        "comment": comment,
        "digest": given.digest,
    }
    if given.segment:
        details["segment"] = given.segment
    tx.put(ROLLOUTS, given)
    happened = Happened(
        Action.ROLLOUT_APPROVED, actor.name, actor.authenticated, now, given.id, given.model, given.version, details
    )
    tx.record(happened)
    if missing:
        return given
    said = ", ".join(said_yes(given, step))
    return give_signal(tx, given, Signal.APPROVED, actor, now, Outcome(given.verdict, detail=f"yes of {said}"))
