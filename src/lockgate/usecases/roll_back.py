"""Go back to the version that served before. It is kept warm, so this takes one change of the route table."""

from __future__ import annotations

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Outcome, Phase, Plan, Rollout, Signal
from lockgate.kernel.errors import NotFound
from lockgate.ports.state import Writer
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_things import version_of
from lockgate.usecases.publish_routes import retained_version
from lockgate.usecases.start_rollout import open_rollout, standing_in
from lockgate.usecases.steer_rollout import give_signal
from lockgate.usecases.world import World


def roll_back(world: World, model: str, actor: Actor, reason: str = "") -> Rollout:
    """End what is under way, and put the retained version back into Production at once.

    With a rollout under way, its abort is the roll-back: the champion still stands.

    Raises:
        NotFound: nothing served before.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        for rollout in rollouts_under_way(tx, model):
            if rollout.environment == PRODUCTION:
                return give_signal(
                    tx, rollout, Signal.ABORT, actor, now, Outcome(rollout.verdict, detail=reason or "rolled back")
                )
        return _return_to_retained(tx, model, actor, world, reason)


def _return_to_retained(tx: Writer, model: str, actor: Actor, world: World, reason: str) -> Rollout:
    now = world.clock.now()
    retained = retained_version(tx, model)
    current = standing_in(tx, model, PRODUCTION)
    if retained is None or current is None:
        raise NotFound(f"{model} has no earlier version in Production to go back to", hint=f"See lockgate versions {model}")
    details = {"from": current.version, "to": retained.version, "reason": reason}
    happened = Happened(Action.ROLLED_BACK, actor.name, actor.authenticated, now, model, model, retained.version, dict(details))
    tx.record(happened)
    for other in rollouts_under_way(tx, model):
        if other.version == retained.version:  # on its way into Staging: going back into Production comes first
            give_signal(tx, other, Signal.ABORT, actor, now, Outcome(other.verdict, detail=f"{model} is rolled back to it"))
    rollout = open_rollout(tx, version_of(tx, model, retained.version), PRODUCTION, actor, now, plan=Plan())
    if rollout.phase is not Phase.PREPARING:
        raise AssertionError("a rollout begins by preparing")
    # The retained version is loaded in every worker: there is nothing to wait for.
    return give_signal(tx, rollout, Signal.PROVEN, actor, now, Outcome(None, detail=reason or "rolled back"))
