"""sign."""

from __future__ import annotations

import click

from lockgate.entrypoints.cli.session import Session, verb


@verb()
@click.argument("model")
@click.argument("version")
def sign(session: Session, model: str, version: str) -> None:
    """Sign VERSION of MODEL, a number or an alias, if it was registered before versions were signed.

    What is signed says who made the package, from what, and what it is made of.
    """
    from lockgate.usecases.find_things import version_named
    from lockgate.usecases.sign_version import sign_version

    with session.world.state.read() as tx:
        found = version_named(tx, model, version)
    signed = sign_version(session.world, model, found.version, session.actor)

    def show() -> None:
        was = "was signed already" if signed.provenance == found.provenance else "is signed"
        click.echo(f"{model} {signed.version} {was}")
        click.echo(f"provenance         {signed.provenance}")
        click.echo(f"bill of materials  {signed.sbom}")

    session.answer(signed, show)
