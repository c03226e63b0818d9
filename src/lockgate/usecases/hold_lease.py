"""Only one may do a thing at a time, and nobody waits for ever for one who died."""

from __future__ import annotations

from lockgate.ports.state import LEASES, Lease
from lockgate.usecases.world import World


def hold_lease(world: World, name: str, holder: str, seconds: float) -> bool:
    """Take or renew the lease; False while somebody else holds it."""
    now = world.clock.now().timestamp()
    with world.state.read() as reader:
        standing = reader.get(LEASES, name)
    if standing is not None and standing.holder != holder and standing.until > now:
        return False
    if standing is not None and standing.holder == holder and standing.until - now > seconds / 2:
        return True
    with world.state.write() as tx:
        standing = tx.get(LEASES, name)
        if standing is not None and standing.holder != holder and standing.until > now:
            return False
        tx.put(LEASES, Lease(name, holder, now + seconds))
        return True


def release_lease(world: World, name: str, holder: str) -> None:
    with world.state.write() as tx:
        standing = tx.get(LEASES, name)
        if standing is not None and standing.holder == holder:
            tx.remove(LEASES, name)
