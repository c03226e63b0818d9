"""Go back to the version that served before. It is kept warm, so this takes one change of the route table."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.events import Action, Happened
from lockgate.domain.holds import HoldEnd
from lockgate.domain.models import ModelVersion, alias_of
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Outcome, Plan, Rollout, Signal
from lockgate.kernel.errors import NotFound, Refused
from lockgate.ports.state import Reader, Writer
from lockgate.stages.deliver.rollout import PAIRED
from lockgate.usecases.find_champions import champion_of
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_things import model_named, version_of
from lockgate.usecases.hold_back import end_hold_on
from lockgate.usecases.publish_routes import last_into_production, retained_version
from lockgate.usecases.return_by_loading import learned_before, return_by_loading
from lockgate.usecases.roll_back_segment import return_in_segment
from lockgate.usecases.set_alias import check_may_move
from lockgate.usecases.start_rollout import open_rollout, standing_in
from lockgate.usecases.steer_rollout import give_signal
from lockgate.usecases.world import World


def roll_back(world: World, model: str, actor: Actor, reason: str = "", to: int | None = None, segment: str = "") -> Rollout:
    """End what is under way, and put the retained version back into Production at once.

    segment: there, instead of where the general champion answers. It goes back to its champion before, or, if it had none, falls
    back to the general one.

    With a rollout under way, its abort is the roll-back: the champion still stands. Where `to` names another version, the rollout
    ends too, but only if that version is one to which the model may go back. Only a shadow and a checkpoint answer nobody: they
    end with the roll-back instead of being it. After a roll-back the retained version is the one that was left: going there
    must be said by `to`, so that a command given twice does not undo itself. Where the model learns online, `to` may be whatever
    stood in Production; what is not kept warm serves once it is loaded.

    Raises:
        NotFound: no such model or version, or nothing served before. Refused: `to` is another version, or is missing where it is
        needed; or the policy does not let the actor move the champion's alias.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        check_may_move(tx, alias_of(segment), actor)
        if to is not None:
            version_of(tx, model, to)
        stays = to is None or _stands(tx, model, segment) == to
        for rollout in rollouts_under_way(tx, model):
            here = (rollout.environment, rollout.segment) == (PRODUCTION, segment)
            if stays and here and rollout.strategy not in PAIRED:
                return give_signal(
                    tx, rollout, Signal.ABORT, actor, now, Outcome(rollout.verdict, detail=reason or "rolled back")
                )
        if segment:
            return return_in_segment(tx, model, segment, actor, now, reason, to)
        if to is not None and (version := learned_before(tx, model, to)) is not None:
            return return_to(tx, version, actor, now, reason)
        return return_to_retained(tx, model, actor, now, reason, to)


def _stands(tx: Reader, model: str, segment: str) -> int | None:
    champion = champion_of(tx, model, segment) or champion_of(tx, model)
    return champion.version if champion else None


def return_to(tx: Writer, version: ModelVersion, actor: Actor, now: datetime, reason: str) -> Rollout:
    """To the retained version at once; to another one as soon as every worker has loaded it.

    Raises:
        Conflict: it is in Production already.
    """
    retained = retained_version(tx, version.model)
    if retained is not None and retained.version == version.version:
        return return_to_retained(tx, version.model, actor, now, reason, version.version)
    return return_by_loading(tx, version, actor, now, reason)


def return_to_retained(
    tx: Writer,
    model: str,
    actor: Actor,
    now: datetime,
    reason: str,
    to: int | None,
    hold_ends: HoldEnd = HoldEnd.ROLLED_BACK,
) -> Rollout:
    """The rollout that puts the retained version back, promoted already. hold_ends: why the hold-back does, if there is one.

    Raises:
        As `roll_back`.
    """
    model_named(tx, model)
    retained = retained_version(tx, model)
    current = standing_in(tx, model, PRODUCTION)
    if retained is None or current is None:
        raise NotFound(f"{model} has no earlier version in Production to go back to", hint=f"See lockgate versions {model}")
    _check_meant(tx, current, retained, to)
    details = {"from": current.version, "to": retained.version, "reason": reason}
    happened = Happened(Action.ROLLED_BACK, actor.name, actor.authenticated, now, model, model, retained.version, dict(details))
    tx.record(happened)
    end_hold_on(tx, model, hold_ends, actor, now, reason)
    for other in rollouts_under_way(tx, model):
        # On its way into Staging: going back into Production comes first. A shadow in Production: it is compared with what goes.
        # One in a segment ends with the promotion below if it was compared with what goes.
        if not other.segment and (other.version == retained.version or other.environment == PRODUCTION):
            told = Outcome(other.verdict, detail=f"{model} is rolled back to version {retained.version}")
            give_signal(tx, other, Signal.ABORT, actor, now, told)
    rollout = replace(open_rollout(tx, version_of(tx, model, retained.version), PRODUCTION, actor, now, plan=Plan()), back=True)
    # The retained version is loaded in every worker: there is nothing to wait for.
    return give_signal(tx, rollout, Signal.PROVEN, actor, now, Outcome(None, detail=reason or "rolled back"))


def _check_meant(tx: Reader, current: ModelVersion, retained: ModelVersion, to: int | None) -> None:
    last = last_into_production(tx, current.model)
    if to is None and last is not None and last.back:
        raise Refused(
            f"version {current.version} of {current.model} came into Production by a roll-back from {retained.version}",
            hint=f"To go to version {retained.version} again: lockgate rollback {current.model} --to {retained.version}",
        )
    if to is not None and to != retained.version:
        raise Refused(
            f"version {to} of {current.model} is not kept warm; version {retained.version} is",
            hint=f"lockgate request {current.model} {to} --to Production",
        )
