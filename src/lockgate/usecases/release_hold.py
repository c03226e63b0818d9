"""Give the promoted version the units that the version before still has, ahead of time."""

from __future__ import annotations

from lockgate.domain.holds import Hold, HoldEnd, HoldState
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Conflict
from lockgate.usecases.find_holds import hold_by
from lockgate.usecases.hold_back import end_hold
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.world import World


def release_hold(world: World, rollout: str, actor: Actor, reason: str = "") -> Hold:
    """The hold as it ended; from now on harm is not looked for.

    Raises:
        NotFound: no such rollout, or it left nothing behind. Conflict: that is over already.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        hold = hold_by(tx, rollout)
        if hold.state is not HoldState.HELD:
            raise Conflict(f"version {hold.baseline} of {hold.model} is held back no longer: {hold.end}, {hold.ended_at}")
        over = end_hold(tx, hold, HoldEnd.RELEASED, actor, now, reason)
        publish_routes(tx, hold.model)
        return over
