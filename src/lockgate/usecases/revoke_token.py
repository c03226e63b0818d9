"""Take a key back: from then on it opens nothing."""

from __future__ import annotations

import msgspec

from lockgate.boundary.keys import Key
from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Conflict, NotFound
from lockgate.ports.keys import KeyStore
from lockgate.usecases.world import World


def revoke_token(world: World, keys: KeyStore, actor: Actor, key_id: str) -> Key:
    """It stays in the file, marked, so that its holder is told what became of it.

    Raises:
        NotFound: there is no such key. Conflict: it is revoked already.
    """
    with world.state.write() as tx:
        known = keys.read() or ()
        found = next((key for key in known if key.id == key_id), None)
        if found is None:
            raise NotFound(f"there is no key {key_id[:20]!r}", hint="lockgate token list shows their ids.")
        if found.revoked_at is not None:
            raise Conflict(f"the key {found.name!r} ({found.id}) {found.ended(found.revoked_at)}")
        revoked = msgspec.structs.replace(found, revoked_at=world.clock.now())
        details = {"name": revoked.name}
        tx.record(
            Happened(Action.TOKEN_REVOKED, actor.name, actor.authenticated, world.clock.now(), revoked.id, details=dict(details))
        )
        keys.write([revoked if key.id == key_id else key for key in known])
    return revoked
