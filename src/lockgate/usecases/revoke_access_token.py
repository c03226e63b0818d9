"""Take a user's token back: it opens nothing from then on, and browsers signed in with it are signed out."""

from __future__ import annotations

from dataclasses import replace

from lockgate.domain.access import AccessToken
from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Conflict, NotFound
from lockgate.ports.state import ACCESS_TOKENS
from lockgate.usecases.end_login import end_logins
from lockgate.usecases.world import World


def revoke_access_token(world: World, actor: Actor, token_id: str) -> AccessToken:
    """It stays in the state, marked.

    Raises:
        NotFound: there is no such token. Conflict: it is revoked already.
    """
    with world.state.write() as tx:
        found = tx.get(ACCESS_TOKENS, token_id)
        if found is None:
            raise NotFound(f"there is no token {token_id[:20]!r} of a user", hint="lockgate user list shows their ids.")
        if found.revoked_at is not None:
            raise Conflict(f"the token {found.name!r} ({found.id}) {found.ended(found.revoked_at)}")
        now = world.clock.now()
        revoked = replace(found, revoked_at=now)
        tx.put(ACCESS_TOKENS, revoked)
        details = {"user": found.user, "name": found.name}
        tx.record(Happened(Action.TOKEN_REVOKED, actor.name, actor.authenticated, now, found.id, details=details))
        end_logins(tx, world, actor, found.user, "its token was revoked", token=found.id)
    return revoked
