"""audit log, audit verify, audit at."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from lockgate.entrypoints.cli import DONE, FAILED, Sentences
from lockgate.entrypoints.cli.session import Session, verb
from lockgate.kernel.errors import Invalid


@click.group(cls=Sentences)
def audit() -> None:
    """Read the audit log, verify its chain, or ask what was in Production at a time."""


@verb("log")
@click.option("--model", help="Only events of this model.")
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
def show_log(session: Session, model: str | None, limit: int) -> None:
    """Show the latest events, the newest last."""
    with session.world.state.read() as tx:
        events = tx.events(newest_first=True, limit=limit, model=model)[::-1]
    rows = [
        (
            event.seq,
            event.happened.at.strftime("%Y-%m-%d %H:%M:%S"),
            event.happened.actor + ("" if event.happened.authenticated else " (unauthenticated)"),
            event.happened.action.value,
            event.happened.subject,
            event.happened.version or "",
        )
        for event in events
    ]
    session.answer(events, lambda: session.table("Audit log", ("seq", "at (UTC)", "actor", "action", "subject", "version"), rows))


@verb()
def verify(session: Session) -> int:
    """Check that no event was changed, removed or put in later."""
    from lockgate.usecases.read_audit import verify_audit

    checked = verify_audit(session.world)

    def show() -> None:
        if checked.broken is not None:
            click.echo(f"the audit log is broken at event {checked.broken.seq}: {checked.broken.found}")
            return
        click.echo(f"the audit log is whole: {checked.events} events. Keep its head to find a cut-off end: {checked.head}")

    session.answer(checked, show)
    return FAILED if checked.broken else DONE


@verb("at")
@click.argument("time")
def at_time(session: Session, time: str) -> None:
    """Say which versions were in which stage at TIME (ISO 8601; UTC unless it says otherwise)."""
    from lockgate.usecases.read_audit import standing_at

    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        raise Invalid(f"time {time!r} found, ISO 8601 expected", hint="For example 2026-11-21T14:30:00") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    found = standing_at(session.world, moment)
    rows = [(one.model, one.stage.value, one.version, one.actor, one.since.strftime("%Y-%m-%d %H:%M:%S")) for one in found]
    columns = ("model", "stage", "version", "moved by", "since (UTC)")
    session.answer(found, lambda: session.table(f"At {moment.isoformat()}", columns, rows, "nothing stood anywhere"))


for command in (show_log, verify, at_time):
    audit.add_command(command)
