"""key show, key list."""

from __future__ import annotations

import click

from lockgate.entrypoints.cli import Sentences
from lockgate.entrypoints.cli.session import Session, verb


@click.group(cls=Sentences)
def key() -> None:
    """See the key by which what this home releases is known, and whose signatures count here."""


@verb("show")
@click.option("--pem", is_flag=True, help="As PEM, for other tools.")
def show_key(session: Session, *, pem: bool) -> None:
    """Print the public key by which this home's releases are known: give it to whoever is to verify them."""
    from lockgate.boundary.public_keys import as_pem, key_id
    from lockgate.wiring.signer import open_release_signer

    public = open_release_signer(session.home).public_key if session.world else ""
    session.answer(
        {"public_key": public, "id": key_id(public)}, lambda: click.echo(as_pem(public) if pem else public, nl=not pem)
    )


@verb("list")
def list_keys(session: Session) -> None:
    """List whose signatures count here, and whose no more: in the form that --key FILE and `trusted-keys` have."""
    from lockgate.boundary.trust import spelled
    from lockgate.usecases.find_trust import find_trust

    found = find_trust(session.world)
    session.answer(found.keys, lambda: click.echo(spelled(found), nl=False))


for command in (show_key, list_keys):
    key.add_command(command)
