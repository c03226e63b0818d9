"""audit log, audit verify, audit checkpoint, audit key, audit at."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockgate.entrypoints.cli import DONE, FAILED, Sentences
from lockgate.entrypoints.cli.session import Session, verb
from lockgate.entrypoints.reading.times import moment_of
from lockgate.kernel.errors import Invalid

if TYPE_CHECKING:
    from lockgate.domain.events import Checkpoint
    from lockgate.stages.decide.audit import Audit


@click.group(cls=Sentences)
def audit() -> None:
    """Read the audit log, verify and sign it, or ask what was in Production at a time."""


def _time(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    return None if text is None else moment_of(text)


@verb("log")
@click.option("--model", help="Only events of this model.")
@click.option("--action", metavar="PATTERN", default="", help="Only these, as in 'rollout:*' or 'model:stage:applied'.")
@click.option("--actor", help="Only what this person did.")
@click.option("--since", metavar="TIME", callback=_time, help="From this time on (ISO 8601; UTC unless it says otherwise).")
@click.option("--until", metavar="TIME", callback=_time, help="Up to this time.")
@click.option("--before", metavar="SEQ", type=click.IntRange(1), help="Older than this event: the next page.")
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
def show_log(session: Session, action: str, before: int | None, limit: int, **only: Any) -> None:
    """Show the latest events, the newest last."""
    from lockgate.usecases.find_events import Sought, actions_like, find_events

    sought = Sought(actions_like(action), **only)
    with session.world.state.read() as tx:
        events = find_events(tx, sought, before=before, limit=limit, newest_first=True)[::-1]
    rows = [
        (
            event.seq,
            event.happened.at.strftime("%Y-%m-%d %H:%M:%S"),
            event.happened.actor + ("" if event.happened.authenticated else " (unauthenticated)"),
            event.happened.action.value + (" (break-glass)" if "break_glass" in event.happened.details else ""),
            event.happened.subject,
            event.happened.version or "",
        )
        for event in events
    ]
    session.answer(events, lambda: session.table("Audit log", ("seq", "at (UTC)", "actor", "action", "subject", "version"), rows))


@verb()
@click.option(
    "--against",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Checkpoints that were kept elsewhere, one in each line.",
)
@click.option("--key", "trusted", metavar="PUBLIC", multiple=True, help="Trust this public key too.")
def verify(session: Session, files: Sequence[Path], trusted: Sequence[str]) -> int:
    """Check that no event was changed, removed or put in later, and that the log agrees with all signed checkpoints."""
    from lockgate.usecases.read_audit import verify_audit
    from lockgate.wiring.signer import open_signer

    world, signer = session.world, open_signer(session.home)
    kept = [one for file in files for one in _kept(file, {signer.public_key, *trusted})]
    checked = verify_audit(world, signer, trusted=trusted, against=kept, told=_Progress())
    session.answer(checked, lambda: _show(checked))
    return FAILED if checked.broken else DONE


def _kept(file: Path, trusted: set[str]) -> list[Checkpoint]:
    """The file's checkpoints. One that nobody here can look through is no answer to whoever asked for it."""
    import msgspec

    from lockgate.domain.events import Checkpoint
    from lockgate.stages.decide.checkpoints import fingerprint

    try:
        found = msgspec.json.Decoder(Checkpoint).decode_lines(file.read_bytes())
    except msgspec.DecodeError as error:
        hint = "One checkpoint in each line, as `lockgate audit checkpoint` prints it."
        raise Invalid(f"{file}: no checkpoints: {error}", hint=hint) from error
    keys = {fingerprint(key) for key in trusted}
    for one in found:
        if one.key not in keys:
            hint = "Give the public key by --key, if you trust it: `lockgate audit key` prints it, in the home whose key it is."
            raise Invalid(f"{file}: the checkpoint at event {one.seq} is by a key that is not trusted here: {one.key}", hint=hint)
    return found


class _Progress:
    """How many events are whole so far, on a terminal, where it takes longer than a second."""

    def __init__(self) -> None:
        self._next = time.monotonic() + 1.0

    def __call__(self, events: int) -> None:
        if sys.stderr.isatty() and time.monotonic() > self._next:
            self._next = time.monotonic() + 0.25
            click.echo(f"\r{events:,} events are whole …".replace(",", " "), nl=False, err=True)


def _show(checked: Audit) -> None:
    signed = checked.signed
    if checked.broken is not None:
        click.echo(f"the audit log is broken at event {checked.broken.seq}: {checked.broken.found}")
        click.echo(
            f"Next: keep this database as it is and find out who could write it; go on with a backup that `lockgate audit verify "
            f"--against FILE` finds whole. Events up to {checked.broken.seq - 1} follow on each other."
        )
    else:
        click.echo(f"the audit log is whole: {checked.events} events. Its head is {checked.head}")
    if signed.checkpoints:
        agree = "1 signed checkpoint agrees" if signed.checkpoints == 1 else f"{signed.checkpoints} signed checkpoints agree"
        click.echo(f"{agree}, the last at event {signed.upto}")
    elif checked.broken is None:
        click.echo("no checkpoint that is trusted here says so too: lockgate audit checkpoint")
    for key in signed.foreign:
        click.echo(f"there are checkpoints by a key that is not trusted here, and not looked at: {key} (--key PUBLIC trusts it)")


@verb("checkpoint")
def make_checkpoint(session: Session) -> None:
    """Sign how far the log has come; keep what is printed where nobody who can write the database can reach it."""
    import msgspec

    from lockgate.usecases.sign_checkpoint import sign_checkpoint
    from lockgate.wiring.signer import open_signer

    click.echo(msgspec.json.encode(sign_checkpoint(session.world, open_signer(session.home))).decode())


@verb("key")
def public_key(session: Session) -> None:
    """Print the public key by which this home's checkpoints are known."""
    from lockgate.wiring.signer import open_signer

    key = open_signer(session.home).public_key if session.world else ""
    session.answer({"public_key": key}, lambda: click.echo(key))


@verb("at")
@click.argument("moment", metavar="TIME", callback=_time)
@click.option("--model", help="Only this model.")
def at_time(session: Session, moment: datetime, model: str | None) -> None:
    """Say what stood where at TIME (ISO 8601; UTC unless it says otherwise): stages, aliases, open requests."""
    from lockgate.usecases.look_back import look_back

    found = look_back(session.world, moment, model)
    rows = [(one.model, one.stage.value, one.version, one.actor, _second(one.since)) for one in found.stages]
    aliases = [(one.model, one.alias, one.version, one.actor, _second(one.since)) for one in found.aliases]
    asked = [(one.request, one.model, one.version, one.to, one.requester, _second(one.since)) for one in found.requests]

    if moment > session.world.clock.now():
        click.echo(f"note: {moment.isoformat()} is in the future: this is how things stand now", err=True)

    def show() -> None:
        columns = ("model", "stage", "version", "moved by", "since (UTC)")
        session.table(f"At {moment.isoformat()}", columns, rows, "nothing stood anywhere")
        if aliases:
            session.table("Aliases", ("model", "alias", "version", "set by", "since (UTC)"), aliases)
        if asked:
            session.table("Open requests", ("request", "model", "version", "to", "requester", "since (UTC)"), asked)

    session.answer(found, show)


def _second(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


for command in (show_log, verify, make_checkpoint, public_key, at_time):
    audit.add_command(command)
