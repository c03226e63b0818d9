"""break-glass open, break-glass close, break-glass list."""

from __future__ import annotations

import click

from lockgate.domain.access import Scope
from lockgate.domain.policy import BrokenGlass
from lockgate.entrypoints.cli import Sentences
from lockgate.entrypoints.cli.session import Session, verb


@click.group("break-glass", cls=Sentences)
def glass() -> None:
    """Bring a version in alone for a while, where harm is done and nobody else can be asked."""


@verb("open", scope=Scope.DECIDE)
@click.option("--why", required=True, help="For everybody to read.")
@click.option("--model", default="", help="Only versions of this model. Else all.")
def open_(session: Session, why: str, model: str) -> None:
    """From now on your one yes completes any quorum, for as long as the policy says."""
    from lockgate.usecases.break_glass import break_glass

    made = break_glass(session.world, session.actor, why, model)

    def show() -> None:
        from lockgate.entrypoints.reading.words import moment

        click.echo(f"{made.id} stands open for {made.by} until {moment(made.until)}; the audit log says what is done by it")
        click.echo(f"Next: lockgate approve REQUEST, then lockgate break-glass close {made.id}")

    session.answer(made, show)


@verb(scope=Scope.DECIDE)
@click.argument("glass_id", metavar="ID")
@click.option("--why", default="", help="For everybody to read.")
def close(session: Session, glass_id: str, why: str) -> None:
    """End ID before its time."""
    from lockgate.usecases.break_glass import mend_glass

    made = mend_glass(session.world, glass_id, session.actor, why)
    session.answer(made, lambda: click.echo(f"{made.id} is closed"))


@verb("list")
def list_(session: Session) -> None:
    """List who broke the glass when, and why; what stands open comes first."""
    from lockgate.entrypoints.reading.words import moment
    from lockgate.ports.state import BROKEN_GLASS

    now = session.world.clock.now()
    with session.world.state.read() as tx:
        found: list[BrokenGlass] = tx.find(BROKEN_GLASS, newest_first=True)
    found.sort(key=lambda one: one.until <= now)
    rows = [
        (one.id, one.by, one.model or "all", "open until" if one.until > now else "was over at", moment(one.until), one.why)
        for one in found
    ]
    session.answer(found, lambda: session.table("Break-glass", ("id", "by", "models", "state", "time", "why"), rows))


for command in (open_, close, list_):
    glass.add_command(command)
