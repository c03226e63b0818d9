"""learning status|stop|resume|replay."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import click

from lockgate.domain.learning import LearningState
from lockgate.entrypoints.cli import DONE, SAID_NO, Sentences
from lockgate.entrypoints.cli.session import Session, ago, verb
from lockgate.entrypoints.reading.learning import Told, learning_of, learning_or_none
from lockgate.kernel.digest import short
from lockgate.ports.state import LEARNINGS
from lockgate.usecases.replay_learning import Relearned, replay_learning
from lockgate.usecases.resume_learning import resume_learning
from lockgate.usecases.stop_learning import stop_learning

SEED = "PYTHONHASHSEED"


@click.group(cls=Sentences)
def learning() -> None:
    """See, stop, resume or replay the online learning of a model."""


@verb()
@click.argument("model", required=False)
def status(session: Session, model: str | None) -> int:
    """Show how a model learns online, or all that do. The exit code of one: 0 it learns, 3 it is stopped."""
    if model is None:
        return _all(session)
    with session.world.state.read() as tx:
        told = learning_of(tx, model)
    session.answer(told, lambda: _show(session, told))
    return DONE if told.open else SAID_NO


def _all(session: Session) -> int:
    with session.world.state.read() as tx:
        found = [told for one in tx.find(LEARNINGS) if (told := learning_or_none(tx, one.model))]
    rows = [
        (
            one.learning.model,
            one.learning.state.value,
            one.learning.champion,
            one.learning.rows,
            one.waiting,
            one.until if one.until is not None else "–",
            _rate(one),
            f"{one.alarm:.0%}",
        )
        for one in found
    ]
    columns = ("model", "state", "champion", "rows", "waiting", "to checkpoint", "event rate", "alarm")
    session.answer(found, lambda: session.table("Online learning", columns, rows, "no model does: strategy online"))
    return DONE


def _show(session: Session, told: Told) -> None:
    one = told.learning
    click.echo(f"{one.model}: {told.says}")
    click.echo(f"  {'course':24} {one.course or 'none began'}, from version {one.base} at row {one.began}")
    click.echo(f"  {'champion':24} version {one.champion}")
    click.echo(f"  {'learned':24} {one.learned - one.began} rows, {told.waiting} wait in the log")
    coming = f"; the next after {told.until} more rows" if told.until is not None else ""
    last = f"version {one.checkpoint}, at row {one.checkpoint_at}" if one.checkpoint != one.base else "none yet"
    click.echo(f"  {'last checkpoint':24} {last}{coming}")
    if told.judged:
        click.echo(f"  {'judged now':24} version {told.judged.version}, {told.judged.phase.value} ({told.judged.id})")
    if told.online:
        believed = f", believed up to {told.online.at_most:.1%}"
        click.echo(f"  {_event(told):24} {_rate(told)} of {one.rows} rows by the champion's scores{believed}")
        length = f"without reason once in {told.online.run_length:,.0f} rows at most, on average"
        click.echo(f"  {'alarm':24} {told.alarm:.0%} of the evidence that it takes ({length})")
    _checkpoints(session, told)
    if one.state is LearningState.STOPPED:
        click.echo(f"Next: see what was sent, then lockgate learning resume {one.model}")


def _checkpoints(session: Session, told: Told) -> None:
    now = session.world.clock.now()
    rows = [
        (
            one.version,
            one.learned.parent,
            f"{one.learned.first}–{one.learned.end - 1}",
            f"{one.event_rate:.1%}" if one.event_rate is not None else "–",
            one.says,
            one.rollout.id if one.rollout else "",
            ago((now - one.at).total_seconds()),
        )
        for one in told.checkpoints
    ]
    columns = ("version", "after", "rows", "event rate", "became", "rollout", "age")
    session.table("Checkpoints", columns, rows, "none yet")


def _rate(told: Told) -> str:
    return f"{told.rate:.1%}" if told.rate is not None else "–"


def _event(told: Told) -> str:
    return told.event.words if told.event else "judged event"


@verb()
@click.argument("model")
@click.option("--reason", default="", help="Why; it is recorded, and who asks for the status is told.")
def stop(session: Session, model: str, reason: str) -> None:
    """Let MODEL learn no more: lessons are refused, what is being judged is aborted; the champion goes on answering."""
    stopped = stop_learning(session.world, model, session.actor, reason)

    def show() -> None:
        click.echo(f"{model} learns no more; version {stopped.champion} goes on answering")
        click.echo(f"Next: lockgate learning resume {model}")

    session.answer(stopped, show)


@verb()
@click.argument("model")
def resume(session: Session, model: str) -> None:
    """Let MODEL learn again from its champion: a new course begins at the log's present end."""
    resumed = resume_learning(session.world, model, session.actor)

    def show() -> None:
        click.echo(f"{model} learns again, from version {resumed.base} on")
        click.echo(f"Next: lockgate learning status {model}")

    session.answer(resumed, show)


@verb()
@click.argument("model")
@click.argument("version", type=int)
def replay(session: Session, model: str, version: int) -> int:
    """Make VERSION of MODEL and the checkpoints before it again from their lessons, and compare. 3 if one is not the same."""
    if os.environ.get(SEED) != "0":
        return _again(session, model, version)

    made = replay_learning(session.world, model, version)
    session.answer(made, lambda: _show_made(made))
    return DONE if all(one.same for one in made) else SAID_NO


def _again(session: Session, model: str, version: int) -> int:
    """In a process where texts have the same hashes as in the learner's: some models add up in the order of a set."""
    words = [sys.executable, "-m", "lockgate.entrypoints.cli", "learning", "replay", model, str(version)]
    words += ["--home", str(session.home.folder), *(["--json"] if session.as_json else [])]
    with subprocess.Popen(words, env=os.environ | {SEED: "0"}, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            click.echo(line, nl=False)
    return process.returncode


def _show_made(made: Sequence[Relearned]) -> None:
    for one in made:
        digest = short(one.found) if one.found else "–"
        click.echo(f"version {one.version} after {one.parent}, {one.rows} rows: {digest}, {one.says}")
    differ = [str(one.version) for one in made if not one.same]
    click.echo(f"not the same: {', '.join(differ)}" if differ else f"{len(made)} checkpoints are the same, bit for bit")


for command in (status, stop, resume, replay):
    learning.add_command(command)
