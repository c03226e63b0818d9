"""Users and their tokens, for tests of a closed server."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.domain.access import Scope
from lockgate.domain.people import Actor
from lockgate.ports.state import USERS
from lockgate.usecases.add_user import add_user
from lockgate.usecases.make_access_token import make_access_token
from lockgate.usecases.world import World

ADMIN = Actor("olga")


def token_for(world: World, name: str, scopes: Sequence[Scope] = tuple(Scope), groups: Sequence[str] = ()) -> str:
    """The text of a token; the user is made if there is none of that name, which closes the server."""
    with world.state.read() as tx:
        known = tx.get(USERS, name)
    if known is None:
        add_user(world, ADMIN, name, groups)
    return make_access_token(world, ADMIN, name, "test", scopes).text


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
