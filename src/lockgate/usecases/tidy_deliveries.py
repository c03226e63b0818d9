"""Forget deliveries that ended long ago, so that they do not grow without bound. What they told of stays in the log of events."""

from __future__ import annotations

from lockgate.domain.notices import DeliveryState
from lockgate.ports.state import DELIVERIES
from lockgate.usecases.world import World

KEPT = {DeliveryState.DELIVERED: 14 * 86400.0, DeliveryState.DEAD: 90 * 86400.0}  # seconds after their end
PAGE = 500  # of each at a turn, the eldest


def tidy_deliveries(world: World) -> int:
    """How many were forgotten."""
    now = world.clock.now()
    with world.state.read() as tx:
        found = [one for state in KEPT for one in tx.find(DELIVERIES, state=state.value, limit=PAGE)]
    old = [one for one in found if one.ended_at and (now - one.ended_at).total_seconds() > KEPT[one.state]]
    if not old:
        return 0
    with world.state.write() as tx:
        for one in old:
            if (again := tx.get(DELIVERIES, one.id)) is not None and again.state is one.state:
                tx.remove(DELIVERIES, one.id)
    return len(old)
