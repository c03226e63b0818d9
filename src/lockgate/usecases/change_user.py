"""Disable a user, enable one again, or say in which groups one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lockgate.domain.access import User
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Conflict
from lockgate.ports.state import USERS
from lockgate.usecases.add_user import checked_groups, record_user
from lockgate.usecases.end_login import end_logins
from lockgate.usecases.find_users import user_named
from lockgate.usecases.world import World


def disable_user(world: World, actor: Actor, name: str) -> User:
    """Tokens and browsers of the user open nothing any more. Tokens do again when the user is enabled; browsers sign in anew.

    Raises:
        NotFound: there is no such user. Conflict: it is disabled already.
    """
    with world.state.write() as tx:
        user = user_named(tx, name)
        if user.disabled_at is not None:
            raise Conflict(f"the user {name!r} was disabled at {user.disabled_at:%Y-%m-%d %H:%M} UTC")
        disabled = replace(user, disabled_at=world.clock.now())
        tx.put(USERS, disabled)
        record_user(tx, actor, user, disabled, world)
        end_logins(tx, world, actor, name, "the user was disabled")
    return disabled


def enable_user(world: World, actor: Actor, name: str) -> User:
    """Let a disabled user in again.

    Raises:
        NotFound: there is no such user. Conflict: it is enabled.
    """
    with world.state.write() as tx:
        user = user_named(tx, name)
        if user.disabled_at is None:
            raise Conflict(f"the user {name!r} is enabled")
        enabled = replace(user, disabled_at=None)
        tx.put(USERS, enabled)
        record_user(tx, actor, user, enabled, world)
    return enabled


def set_groups(world: World, actor: Actor, name: str, groups: Sequence[str]) -> User:
    """The groups that there are from now on. An identity provider that tells groups overwrites them at the next sign-in.

    Raises:
        NotFound: there is no such user. Invalid: a group may not be called so.
    """
    with world.state.write() as tx:
        user = user_named(tx, name)
        changed = replace(user, groups=checked_groups(groups))
        if changed != user:
            tx.put(USERS, changed)
            record_user(tx, actor, user, changed, world)
    return changed
