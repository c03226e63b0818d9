"""Only one may do a thing at a time, and nobody waits for ever for one who died."""

from __future__ import annotations

from lockgate.ports.state import LEASES, Lease
from lockgate.usecases.world import World

SKEW = 30.0  # seconds by which the clocks of those who compete may differ


def hold_lease(world: World, name: str, holder: str, seconds: float) -> bool:
    """Take or renew the lease; False while somebody else holds it."""
    now = world.clock.now().timestamp()
    with world.state.read() as reader:
        standing = reader.get(LEASES, name)
    if _somebody_elses(standing, holder, seconds, now):
        return False
    if standing is not None and standing.holder == holder and seconds / 2 < standing.until - now <= seconds:
        return True
    with world.state.write() as tx:
        if _somebody_elses(tx.get(LEASES, name), holder, seconds, now):
            return False
        tx.put(LEASES, Lease(name, holder, now + seconds))
        return True


def _somebody_elses(standing: Lease | None, holder: str, seconds: float, now: float) -> bool:
    """A lease that reaches further than leases do was given out before the clock was set back: nobody waits for its end."""
    return standing is not None and standing.holder != holder and now < standing.until <= now + seconds + SKEW


def release_lease(world: World, name: str, holder: str) -> None:
    with world.state.write() as tx:
        standing = tx.get(LEASES, name)
        if standing is not None and standing.holder == holder:
            tx.remove(LEASES, name)
