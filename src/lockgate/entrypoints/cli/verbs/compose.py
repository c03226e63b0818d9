"""compose."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.entrypoints.cli.session import Session, verb


@verb()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def compose(session: Session, file: Path) -> None:
    """Make a version of a model that is a graph of registered models, as FILE declares it."""
    from lockgate.usecases.compose_graph import Composed, compose_graph
    from lockgate.wiring.pipelines import build_world

    world = session.world
    made: Composed = compose_graph(world, build_world(session.home, world).runtimes, file, session.actor)

    def show() -> None:
        version = made.version
        click.echo(f"{version.model} version {version.version} is registered: {made.graph}")
        click.echo(f"inputs: {', '.join(made.inputs)}")
        if made.only_switched:
            click.echo(f"Only the graph itself reads {', '.join(made.only_switched)}: every request must have it.")
        click.echo("It runs in the gateway's workers." if made.inline else "It runs in a process of its own.")
        click.echo(f"Next: lockgate request {version.model} {version.version} --to Production")

    session.answer(made, show)
