"""alias set, alias remove."""

from __future__ import annotations

import click

from lockgate.entrypoints.cli import Sentences
from lockgate.entrypoints.cli.session import Session, verb


@click.group(cls=Sentences)
def alias() -> None:
    """Give a version a name, or take the name away. `champion` follows from Production and is not set by hand."""


@verb("set")
@click.argument("model")
@click.argument("name")
@click.argument("version", type=click.IntRange(1))
def set_(session: Session, model: str, name: str, version: int) -> None:
    """Let NAME say VERSION of MODEL from now on, whatever it said before."""
    from lockgate.usecases.set_alias import set_alias

    made = set_alias(session.world, model, name, version, session.actor)
    session.answer(made, lambda: click.echo(f"{made.name} of {made.model} is version {made.version}"))


@verb()
@click.argument("model")
@click.argument("name")
def remove(session: Session, model: str, name: str) -> None:
    """Take NAME away from whichever version of MODEL has it."""
    from lockgate.usecases.set_alias import remove_alias

    made = remove_alias(session.world, model, name, session.actor)
    session.answer(made, lambda: click.echo(f"{made.model} has no {made.name} any more; it was version {made.version}"))


for command in (set_, remove):
    alias.add_command(command)
