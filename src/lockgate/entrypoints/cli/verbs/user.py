"""user add, user list, user groups, user disable, user enable, user token, user revoke."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from lockgate.domain.access import AccessToken, Scope, User
from lockgate.domain.policy import Policy
from lockgate.entrypoints.cli import Sentences
from lockgate.entrypoints.cli.session import Session, ago, verb

SCOPES = click.Choice([scope.value for scope in Scope])
_USUAL = (Scope.READ, Scope.WRITE, Scope.DECIDE)


@click.group(cls=Sentences)
def user() -> None:
    """Make, list or disable the users of the control plane, and their tokens."""


@verb(makes_home=True, scope=Scope.ADMIN)
@click.argument("name")
@click.option("--group", "groups", multiple=True, help="A group that the user is in; may be given more than once.")
@click.option("--email", default="", help="Where the user is reached.")
def add(session: Session, name: str, groups: tuple[str, ...], email: str) -> None:
    """Make the user NAME. With the first one the control plane answers only those whom it knows."""
    from lockgate.usecases.add_user import add_user
    from lockgate.usecases.find_things import policy_of

    added = add_user(session.world, session.actor, name, groups, email)
    with session.world.state.read() as tx:
        policy = policy_of(tx)

    def show() -> None:
        click.echo(f"{name} is a user. {_may(policy, added.user)}")
        if added.first:
            click.echo("It is the first one: from now on the control plane of this home answers nobody whom it does not know.")
        click.echo(f"Next: lockgate user token {name}")

    session.answer({**_told(added.user), "first": added.first}, show)


def _may(policy: Policy, added: User) -> str:
    """What the policy lets the user do."""
    from lockgate.domain.people import Actor
    from lockgate.stages.decide.roles import roles_of

    if not policy.roles:
        return "No policy names roles: every user may ask, and approve what others asked for (lockgate policy set FILE)."
    roles = sorted(roles_of(policy, Actor(added.name, authenticated=True, groups=added.groups)))
    return f"By the policy: {', '.join(roles)}." if roles else "The policy gives no role: lockgate policy show"


@verb("list")
def list_users(session: Session) -> None:
    """List the users with their groups and tokens."""
    from lockgate.usecases.find_users import users_with_tokens

    now = session.world.clock.now()
    with session.world.state.read() as tx:
        found = users_with_tokens(tx)
    rows = [_row(one, tokens, now) for one, tokens in found]
    told = [{**_told(one), "tokens": [_told_token(token, now) for token in tokens]} for one, tokens in found]
    columns = ("user", "state", "groups", "tokens", "age")
    empty = "none: the control plane is open on loopback, and only there"
    session.answer(told, lambda: session.table("Users", columns, rows, empty))


def _row(one: User, tokens: list[AccessToken], now: datetime) -> tuple[str, ...]:
    good = [f"{token.id} ({token.name}: {' '.join(token.scopes)})" for token in tokens if token.ended(now) is None]
    state = "disabled" if one.disabled_at else f"by {one.issuer}" if one.issuer else "enabled"
    return one.name, state, ", ".join(one.groups), ", ".join(good), ago((now - one.created_at).total_seconds())


@verb(scope=Scope.ADMIN)
@click.argument("name")
@click.argument("group", nargs=-1)
def groups(session: Session, name: str, group: tuple[str, ...]) -> None:
    """Say that the user NAME is in each GROUP, and in no other."""
    from lockgate.usecases.change_user import set_groups

    changed = set_groups(session.world, session.actor, name, group)
    session.answer(_told(changed), lambda: click.echo(f"{name} is in {', '.join(changed.groups) or 'no group'}"))


@verb(scope=Scope.ADMIN)
@click.argument("name")
def disable(session: Session, name: str) -> None:
    """Let the user NAME in no more: tokens open nothing, browsers are signed out."""
    from lockgate.usecases.change_user import disable_user

    changed = disable_user(session.world, session.actor, name)
    session.answer(_told(changed), lambda: click.echo(f"{name} comes in no more, within two seconds"))


@verb(scope=Scope.ADMIN)
@click.argument("name")
def enable(session: Session, name: str) -> None:
    """Let the user NAME in again, with the tokens that are still good."""
    from lockgate.usecases.change_user import enable_user

    changed = enable_user(session.world, session.actor, name)
    session.answer(_told(changed), lambda: click.echo(f"{name} is enabled"))


@verb(scope=Scope.ADMIN)
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=SCOPES, help="What it is for; else read, write and decide.")
@click.option("--for", "purpose", default="command line", show_default=True, help="What it is for, in words.")
@click.option("--expires", metavar="TIME", help="How long it is good for, such as 30d; at most 366d.  [default: 90d]")
def token(session: Session, name: str, scopes: tuple[str, ...], purpose: str, expires: str | None) -> None:
    """Make a token for the user NAME and show it, this one time."""
    from lockgate.usecases.make_access_token import LIFETIME, make_access_token

    wanted = tuple(map(Scope, scopes)) or _USUAL
    lifetime = _lifetime(expires) if expires is not None else LIFETIME
    made = make_access_token(session.world, session.actor, name, purpose, wanted, lifetime)

    def show() -> None:
        click.echo(made.text)
        scope = ", ".join(made.token.scopes)
        click.echo(f"This is the only time that the token {made.token.id} is shown. It is for {scope}, ", err=True, nl=False)
        click.echo(f"until {made.token.expires_at:%Y-%m-%d}.", err=True)
        click.echo("Programs send it as `Authorization: Bearer TOKEN`, browsers sign in with it at /login,", err=True)
        click.echo("the command line takes it from $LOCKGATE_TOKEN.", err=True)

    session.answer({**_told_token(made.token, made.token.created_at), "token": made.text}, show)


def _lifetime(text: str) -> timedelta:
    from lockgate.kernel.quantities import parse_duration

    try:
        return timedelta(seconds=parse_duration(text))
    except OverflowError:
        raise click.BadParameter(f"{text!r} found, at most 366d expected", param_hint="--expires") from None
    except ValueError as error:
        raise click.BadParameter(f"{text!r} found, {error}", param_hint="--expires") from None


@verb(scope=Scope.ADMIN)
@click.argument("token_id", metavar="ID")
def revoke(session: Session, token_id: str) -> None:
    """Take the token ID back; the control plane refuses it within two seconds."""
    from lockgate.usecases.revoke_access_token import revoke_access_token

    revoked = revoke_access_token(session.world, session.actor, token_id)
    told = _told_token(revoked, session.world.clock.now())
    session.answer(told, lambda: click.echo(f"{revoked.id} ({revoked.name}) of {revoked.user} opens nothing any more"))


def _told(one: User) -> dict[str, object]:
    return {"name": one.name, "groups": one.groups, "email": one.email, "issuer": one.issuer, "disabled_at": one.disabled_at}


def _told_token(one: AccessToken, now: datetime) -> dict[str, object]:
    """For machines; the hash stays where it is."""
    times = {"created_at": one.created_at, "expires_at": one.expires_at, "revoked_at": one.revoked_at}
    return {"id": one.id, "user": one.user, "name": one.name, "scopes": one.scopes, **times, "good": one.ended(now) is None}


for command in (add, list_users, groups, disable, enable, token, revoke):
    user.add_command(command)
