"""Recognise who calls the control plane by what they show: a token, or the cookie of a browser in which they are signed in."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lockgate.domain.access import Login, Scope, User
from lockgate.domain.people import Actor
from lockgate.kernel.digest import digest_bytes
from lockgate.ports.state import ACCESS_TOKENS, LOGINS, USERS, Reader
from lockgate.usecases.world import World

IDLE = timedelta(hours=1)  # after which a browser that asked nothing is signed out
SEEN_EVERY = timedelta(minutes=5)  # between two notes of when a browser asked: reading a page is no reason to write
_TEXT = re.compile(r"lgu_([0-9a-f]{12})_[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Caller:
    """login: the id of the browser's login, token: that of the token shown; one of the two is empty."""

    actor: Actor
    scopes: frozenset[Scope]
    token: str = ""
    login: str = ""


def is_closed(tx: Reader) -> bool:
    """Whether callers must say who they are: since there is a user. Users are disabled and never removed, so it stays so."""
    return bool(tx.find(USERS, limit=1))


def recognise_token(world: World, text: str) -> Caller | None:
    """Whose token this is; None if it is none, has ended, or its user is disabled."""
    with world.state.read() as tx:
        return caller_by_token(tx, text, world.clock.now())


def caller_by_token(tx: Reader, text: str, now: datetime) -> Caller | None:
    match = _TEXT.fullmatch(text)
    token = tx.get(ACCESS_TOKENS, match[1]) if match else None
    if token is None or not token.opens(text) or token.ended(now):
        return None
    user = _enabled(tx, token.user)
    return Caller(_actor(user), frozenset(token.scopes), token=token.id) if user else None


def recognise_login(world: World, cookie: str) -> Caller | None:
    """Who is signed in where this cookie is; None if nobody, or nobody any more. Notes by and by that the browser asked."""
    now = world.clock.now()
    with world.state.read() as tx:
        login = tx.get(LOGINS, login_id(cookie))
        if login is None or not lives(login, now):
            return None
        user = _enabled(tx, login.user)
    if user is not None and now - login.seen_at >= SEEN_EVERY:
        _note_seen(world, login.id, now)
    return Caller(_actor(user), frozenset(login.scopes), login=login.id) if user else None


def login_id(cookie: str) -> str:
    """What is kept of a cookie: whoever reads the state cannot sign in with it. Of 256 random bits one SHA-256 will do."""
    return digest_bytes(cookie.encode())


def lives(login: Login, now: datetime) -> bool:
    """Whether the login has not run out and was used within the last hour. Whoever revokes its token ends it."""
    return now < login.expires_at and now - login.seen_at < IDLE


def _enabled(tx: Reader, name: str) -> User | None:
    user = tx.get(USERS, name)
    return user if user is not None and user.disabled_at is None else None


def _actor(user: User) -> Actor:
    return Actor(user.name, authenticated=True, groups=user.groups)


def _note_seen(world: World, number: str, now: datetime) -> None:
    """Looked up again within the transaction: a login that was ended meanwhile stays so."""
    with world.state.write() as tx:
        login = tx.get(LOGINS, number)
        if login is not None:
            tx.put(LOGINS, replace(login, seen_at=now))
