"""Forget who has not reported for long, and how far its blocks were taken."""

from __future__ import annotations

from lockgate.ports.state import CONSUMED, SUBSCRIBERS
from lockgate.stages.deliver.reported import LATE
from lockgate.usecases.world import World


def forget_subscribers(world: World) -> int:
    """How many. A block of theirs is refused for its age by then, so none can be counted twice."""
    since = world.clock.now().timestamp() - 2 * LATE
    with world.state.read() as tx:
        gone = {one.id for one in tx.find(SUBSCRIBERS) if one.seen_at < since}
        if not gone:
            return 0
        consumed = [one for one in tx.find(CONSUMED) if f"{one.worker}/{one.incarnation}" in gone]
    with world.state.write() as tx:
        for id_ in gone:
            tx.remove(SUBSCRIBERS, id_)
        for one in consumed:
            tx.remove(CONSUMED, one.worker, one.incarnation)
    return len(gone)
