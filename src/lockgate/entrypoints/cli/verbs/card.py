"""card."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.entrypoints.cli.session import Session, verb


@verb()
@click.argument("model")
@click.argument("version", type=int)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it into this file.")
def card(session: Session, model: str, version: int, output: Path | None) -> None:
    """Write the model card of VERSION of MODEL, as Markdown."""
    from lockgate.usecases.write_card import write_card

    written = write_card(session.world, model, version)
    if output is not None:
        output.write_text(written, encoding="utf-8")
    session.answer({"model": model, "version": version, "card": written}, lambda: _tell(written, output))


def _tell(written: str, output: Path | None) -> None:
    click.echo(f"written: {output}" if output is not None else written, nl=output is not None)
