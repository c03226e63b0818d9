"""Make a user: from the first one on, the control plane answers only those whom it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockgate.domain.access import User
from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor, fault_in_name
from lockgate.kernel.errors import Conflict, Invalid
from lockgate.ports.state import USERS, Writer
from lockgate.usecases.recognise_caller import is_closed
from lockgate.usecases.world import World


@dataclass(frozen=True, slots=True)
class Added:
    """first: until now the control plane was open."""

    user: User
    first: bool


def add_user(world: World, actor: Actor, name: str, groups: Sequence[str] = (), email: str = "") -> Added:
    """Make one, in these groups.

    Raises:
        Invalid: nobody may be called so, or a group may not. Conflict: there is such a user.
    """
    check_name(name)
    user = User(name, world.clock.now(), checked_groups(groups), email)
    with world.state.write() as tx:
        first = not is_closed(tx)
        if not tx.add(USERS, user):
            raise Conflict(f"there is a user {name!r} already", hint="lockgate user list shows them all.")
        record_user(tx, actor, None, user, world)
    return Added(user, first)


def check_name(name: str) -> None:
    fault = fault_in_name(name)
    if fault is not None:
        raise Invalid(f"user {name[:120]!r}: {fault}", hint="Choose another name; it stands with every act in the audit log.")


def checked_groups(groups: Sequence[str]) -> tuple[str, ...]:
    """Each once, in their order.

    Raises:
        Invalid: one of them cannot be written into a policy.
    """
    for group in groups:
        if not group.strip() or not group.isprintable() or group.lower().startswith("group:"):
            raise Invalid(f"group {group[:120]!r} found, a printable name without 'group:' before it expected")
    return tuple(dict.fromkeys(groups))


def record_user(tx: Writer, actor: Actor, before: User | None, after: User, world: World) -> None:
    details = {"from": _told(before) if before else None, "to": _told(after)}
    tx.record(Happened(Action.USER_SET, actor.name, actor.authenticated, world.clock.now(), after.name, details=details))


def _told(user: User) -> dict[str, object]:
    told = {"groups": list(user.groups), "email": user.email, "issuer": user.issuer, "disabled": user.disabled_at is not None}
    return {name: value for name, value in told.items() if value or name == "disabled"}
