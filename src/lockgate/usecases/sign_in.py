"""Sign in whom an identity provider vouches for."""

from __future__ import annotations

from dataclasses import replace

from lockgate.domain.access import Scope, User
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Refused
from lockgate.ports.identity import Vouched
from lockgate.ports.state import USERS, Writer
from lockgate.usecases.add_user import check_name, checked_groups, record_user
from lockgate.usecases.begin_login import LASTS, keep_login
from lockgate.usecases.recognise_caller import Caller
from lockgate.usecases.world import World

SCOPES = frozenset({Scope.READ, Scope.WRITE, Scope.DECIDE})  # to administer, a token with that scope is shown


def sign_in(world: World, vouched: Vouched, *, create: bool) -> str:
    """What the browser's cookie shall hold. create: whether somebody unknown becomes a user.

    A user is found by issuer and subject, never by a name alone that may have passed to somebody else: a user who was made here
    is bound to the first that comes by the name.

    Raises:
        Refused: unknown here, disabled, or of a name that is another's. Invalid: nobody may be called so.
    """
    with world.state.write() as tx:
        before = _known(tx, vouched)
        if before is None and not create:
            hint = f"Whoever runs this server can do that: lockgate user add {vouched.name}"
            raise Refused(f"{vouched.name!r} is no user here yet", hint=hint)
        user = _brought_up_to_date(before, vouched, world)
        if user != before:
            tx.put(USERS, user)
            record_user(tx, Actor(user.name, authenticated=True), before, user, world)
        caller = Caller(Actor(user.name, authenticated=True, groups=user.groups), SCOPES)
        return keep_login(tx, world, caller, world.clock.now() + LASTS, vouched.issuer)


def _known(tx: Writer, vouched: Vouched) -> User | None:
    bound = [user for user in tx.find(USERS) if (user.issuer, user.subject) == (vouched.issuer, vouched.subject)]
    user = bound[0] if bound else tx.get(USERS, vouched.name)
    if user is None:
        return None
    if not bound and user.issuer:
        raise Refused(f"the user {user.name!r} belongs to another account there", hint="Ask whoever runs this server.")
    if user.disabled_at is not None:
        raise Refused(f"the user {user.name!r} is disabled", hint=f"Ask for: lockgate user enable {user.name}")
    return user


def _brought_up_to_date(before: User | None, vouched: Vouched, world: World) -> User:
    if before is None:
        check_name(vouched.name)
        before = User(vouched.name, world.clock.now())
    groups = before.groups if vouched.groups is None else checked_groups(vouched.groups)
    email = vouched.email or before.email
    return replace(before, groups=groups, email=email, issuer=vouched.issuer, subject=vouched.subject)
