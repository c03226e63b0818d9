"""Sign a user in, in one browser: by a token that was pasted, or because an identity provider vouches."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from lockgate.domain.access import Login, Scope
from lockgate.domain.events import Action, Happened
from lockgate.kernel.errors import Refused
from lockgate.ports.state import ACCESS_TOKENS, LOGINS, Writer
from lockgate.usecases.recognise_caller import Caller, caller_by_token, lives, login_id, recognise_token
from lockgate.usecases.world import World

LASTS = timedelta(hours=12)
MOST = 20  # browsers in which one user is signed in; beyond, the oldest is signed out


def begin_login(world: World, token: str) -> str:
    """What the browser's cookie shall hold: new with every login, and kept nowhere but as its hash.

    Raises:
        Refused: this is no token, it has ended, or its user is disabled.
    """
    if recognise_token(world, token) is None:  # by reading: whoever has no good token keeps no writer waiting
        raise _unknown()
    with world.state.write() as tx:
        caller = caller_by_token(tx, token, world.clock.now())
        found = tx.get(ACCESS_TOKENS, caller.token) if caller else None
        if caller is None or found is None:
            raise _unknown()
        return keep_login(tx, world, caller, min(found.expires_at, world.clock.now() + LASTS), "token")


def _unknown() -> Refused:
    return Refused("this token is unknown, has ended, or its user is disabled", hint="lockgate user token NAME makes a new one.")


def keep_login(tx: Writer, world: World, caller: Caller, until: datetime, by: str) -> str:
    now, cookie = world.clock.now(), secrets.token_urlsafe(32)
    _make_room(tx, caller.actor.name, now)
    scopes = tuple(scope for scope in Scope if scope in caller.scopes)
    tx.put(LOGINS, Login(login_id(cookie), caller.actor.name, scopes, now, until, now, caller.token))
    details = {"by": by, "token": caller.token} if caller.token else {"by": by}
    name = caller.actor.name
    tx.record(Happened(Action.LOGIN_BEGUN, name, authenticated=True, at=now, subject=name, details=details))
    return cookie


def _make_room(tx: Writer, user: str, now: datetime) -> None:
    """Forget the user's logins that are over, and the oldest where there are too many."""
    known = tx.find(LOGINS, user=user)
    alive = [login for login in known if lives(login, now)]
    kept = {login.id for login in alive[-(MOST - 1) :]}
    for login in known:
        if login.id not in kept:
            tx.remove(LOGINS, login.id)
