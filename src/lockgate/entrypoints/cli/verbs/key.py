"""key show, key list."""

from __future__ import annotations

import click
import msgspec

from lockgate.boundary.trust import Trust, TrustedKey
from lockgate.entrypoints.cli import Sentences
from lockgate.entrypoints.cli.session import Session, verb
from lockgate.stages.decide.vouching import OWN


@click.group(cls=Sentences)
def key() -> None:
    """See the key by which what this home releases is known, and whose signatures count here."""


@verb("show")
@click.option("--pem", is_flag=True, help="As PEM, for other tools.")
def show_key(session: Session, *, pem: bool) -> None:
    """Print the public key by which this home's releases are known: give it to whoever is to verify them.

    Beside it, on standard error, its id: the digits by which faults and logs name it.
    """
    from lockgate.boundary.public_keys import as_pem, key_id, short_id
    from lockgate.wiring.signer import open_release_signer

    public = open_release_signer(session.home).public_key if session.world else ""

    def show() -> None:
        click.echo(as_pem(public) if pem else public, nl=not pem)
        click.echo(f"id {short_id(public)}", err=True)

    session.answer({"public_key": public, "id": key_id(public)}, show)


@verb("list")
def list_keys(session: Session) -> None:
    """List whose signatures count here, and whose no more: in the form that --key FILE and `trusted-keys` have.

    Behind each stands its id, the digits by which faults and logs name it.
    """
    from lockgate.boundary.public_keys import short_id
    from lockgate.boundary.trust import spelled
    from lockgate.usecases.find_trust import find_trust

    keys = [_elsewhere(one) for one in find_trust(session.world).keys]
    lines = [f"{spelled(Trust((one,))).rstrip()}  # {short_id(one.key)}" for one in keys]
    session.answer(keys, lambda: click.echo("".join(f"{line}\n" for line in lines), nl=False))


def _elsewhere(key: TrustedKey) -> TrustedKey:
    """As it may be given away: "this home" is somebody else's home there."""
    return msgspec.structs.replace(key, name="") if key.name == OWN else key


for command in (show_key, list_keys):
    key.add_command(command)
