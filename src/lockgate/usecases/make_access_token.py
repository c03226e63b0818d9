"""Make a token with which a user's programs, or the user's browser at its sign-in, come into the control plane.

A token's text is `lgu_ID_SECRET`, 12 and 64 hexadecimal digits. What is kept is its SHA-256: the secret has 256 random bits,
which nobody guesses, so a slow hash would cost every request and protect nothing (it is for passwords, which people choose). The
id is no secret: it finds the token in one step and stands in events. The hash covers the id too, so no entry can be given
another's secret.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lockgate.domain.access import AccessToken, Scope
from lockgate.domain.events import Action, Happened
from lockgate.domain.people import LONGEST_NAME, Actor
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Conflict, Invalid
from lockgate.kernel.quantities import format_duration
from lockgate.ports.state import ACCESS_TOKENS
from lockgate.usecases.find_users import user_named
from lockgate.usecases.world import World

LIFETIME = timedelta(days=90)
LONGEST_LIFETIME = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Made:
    """text: what the caller shows, kept nowhere."""

    token: AccessToken
    text: str


def make_access_token(
    world: World, actor: Actor, user: str, name: str, scopes: Collection[Scope], lifetime: timedelta = LIFETIME
) -> Made:
    """name: what it is for, for people.

    Raises:
        NotFound: there is no such user. Conflict: the user is disabled. Invalid: what is wanted makes no sense.
    """
    _check(name, scopes, lifetime)
    now = world.clock.now()
    number = secrets.token_hex(6)
    text = f"lgu_{number}_{secrets.token_hex(32)}"
    ordered = tuple(scope for scope in Scope if scope in scopes)
    token = AccessToken(number, user, name, digest_bytes(text.encode()), ordered, now, now + lifetime)
    with world.state.write() as tx:
        if user_named(tx, user).disabled_at is not None:
            raise Conflict(f"the user {user!r} is disabled", hint=f"lockgate user enable {user}")
        if not tx.add(ACCESS_TOKENS, token):
            raise Conflict(f"the random id {number} is taken", hint="Ask again.")
        tx.record(Happened(Action.TOKEN_CREATED, actor.name, actor.authenticated, now, number, details=_details(token)))
    return Made(token, text)


def _check(name: str, scopes: Collection[Scope], lifetime: timedelta) -> None:
    if not 0 < len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise Invalid(f"name {name[:120]!r} found, 1 to {LONGEST_NAME} printable characters expected")
    if not scopes:
        raise Invalid("no scope found, at least one expected", hint=f"One of {', '.join(Scope)}.")
    if not timedelta() < lifetime <= LONGEST_LIFETIME:
        found, longest = format_duration(lifetime.total_seconds()), format_duration(LONGEST_LIFETIME.total_seconds())
        raise Invalid(f"a lifetime of {found} found, more than nothing and at most {longest} expected")


def _details(token: AccessToken) -> dict[str, Any]:
    scopes = [scope.value for scope in token.scopes]
    return {"user": token.user, "name": token.name, "scopes": scopes, "expires_at": token.expires_at.isoformat()}
