"""token create, token revoke, token list."""

from __future__ import annotations

from datetime import datetime

import click

from lockgate.boundary.keys import Key, KeyScope, Rate
from lockgate.domain.access import Scope
from lockgate.entrypoints.cli import Sentences
from lockgate.entrypoints.cli.session import Session, ago, verb
from lockgate.usecases.create_token import Made, Wanted

SCOPES = click.Choice([scope.value for scope in KeyScope])


@click.group(cls=Sentences)
def token() -> None:
    """Make, list or revoke the keys with which callers may ask the data plane."""


@verb(makes_home=True, scope=Scope.ADMIN)
@click.option("--name", required=True, help="Whose it is, for people.")
@click.option("--scope", "scopes", multiple=True, required=True, type=SCOPES, help="What it opens; may be given more than once.")
@click.option("--model", "models", multiple=True, help="A model that it is for; may be given more than once. Else all.")
@click.option("--rate", metavar="N/s", help="Requests that it may send, such as 100/s or 600/m. Else as many as it likes.")
@click.option("--burst", type=click.IntRange(1, 1_000_000), help="Requests at once; else what the rate gives in a second.")
@click.option("--expires", metavar="TIME", help="How long it is good for, such as 30d. Else until it is revoked.")
def create(
    session: Session,
    name: str,
    scopes: tuple[str, ...],
    models: tuple[str, ...],
    rate: str | None,
    burst: int | None,
    expires: str | None,
) -> None:
    """Make a key and show it, this one time."""
    from lockgate.usecases.create_token import create_token
    from lockgate.wiring.keys import open_keys

    wanted = Wanted(name, frozenset(map(KeyScope, scopes)), models, _rate(rate, burst), _lifetime(expires))
    made = create_token(session.world, open_keys(session.home), session.actor, wanted)
    for model in made.unknown:
        click.echo(f"note: there is no model {model!r} yet", err=True)
    session.answer({**_told(made.key, made.key.created_at), "key": made.text}, lambda: _show_made(made))


def _show_made(made: Made) -> None:
    click.echo(made.text)
    click.echo(
        f"This is the only time that the key {made.key.id} is shown. Callers send it as `Authorization: Bearer KEY`.", err=True
    )
    if made.first:
        click.echo("It is the first one for the data plane of this home: from now on that asks everybody for a key.", err=True)


def _rate(text: str | None, burst: int | None) -> Rate | None:
    if text is None:
        if burst is not None:
            raise click.BadParameter("a burst is part of a rate; give that too", param_hint="--burst")
        return None
    try:
        return Rate.parse(text, burst)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} found, {error}", param_hint="--rate") from None


def _lifetime(text: str | None) -> float | None:
    from lockgate.kernel.quantities import parse_duration

    if text is None:
        return None
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} found, {error}", param_hint="--expires") from None
    if not 0 < seconds <= _LONGEST:
        raise click.BadParameter(f"{text!r} found, more than 0 and at most ten years expected", param_hint="--expires")
    return seconds


_LONGEST = 3653 * 86400.0


@verb("list")
def list_keys(session: Session) -> None:
    """List the keys: what they open, and whether they still do."""
    from lockgate.wiring.keys import open_keys

    now = session.world.clock.now()
    found = open_keys(session.home).read() or ()
    rows = [
        (
            key.id,
            key.name,
            ", ".join(sorted(key.scopes)),
            ", ".join(key.models) or "all",
            f"{key.rate.per_second:g}/s, {key.rate.burst} at once" if key.rate else "any",
            ago((now - key.created_at).total_seconds()),
            key.ended(now) or (f"expires at {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else "good"),
        )
        for key in found
    ]
    columns = ("id", "name", "scopes", "models", "rate", "age", "state")
    told = [_told(key, now) for key in found]
    session.answer(told, lambda: session.table("Keys", columns, rows, "none: the data plane is open on loopback, and only there"))


@verb(scope=Scope.ADMIN)
@click.argument("key_id", metavar="ID")
def revoke(session: Session, key_id: str) -> None:
    """Take the key ID back; the data plane refuses it within two seconds."""
    from lockgate.usecases.revoke_token import revoke_token
    from lockgate.wiring.keys import open_keys

    revoked = revoke_token(session.world, open_keys(session.home), session.actor, key_id)
    session.answer(
        _told(revoked, session.world.clock.now()), lambda: click.echo(f"{revoked.id} ({revoked.name}) opens nothing any more")
    )


def _told(key: Key, now: datetime) -> dict[str, object]:
    """For machines; the hash stays where it is."""
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "models": key.models,
        "rate": key.rate,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "good": key.ended(now) is None,
    }


for command in (create, list_keys, revoke):
    token.add_command(command)
