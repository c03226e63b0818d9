"""Sign out: a user by oneself, or all browsers of one who may not come in any more."""

from __future__ import annotations

from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor
from lockgate.ports.state import LOGINS, Writer
from lockgate.usecases.world import World


def end_login(world: World, actor: Actor, login: str) -> None:
    """Doing it twice is no fault: the browser is signed out then."""
    with world.state.write() as tx:
        if tx.get(LOGINS, login) is not None:
            tx.remove(LOGINS, login)
            _record(tx, world, actor, actor.name, "signed out")


def end_logins(tx: Writer, world: World, actor: Actor, user: str, why: str, *, token: str | None = None) -> None:
    """All logins of the user, or those that were begun by one token."""
    ended = [login for login in tx.find(LOGINS, user=user) if token in (None, login.token)]
    for login in ended:
        tx.remove(LOGINS, login.id)
        _record(tx, world, actor, user, why)


def _record(tx: Writer, world: World, actor: Actor, user: str, why: str) -> None:
    happened = Happened(Action.LOGIN_ENDED, actor.name, actor.authenticated, world.clock.now(), user, details={"why": why})
    tx.record(happened)
