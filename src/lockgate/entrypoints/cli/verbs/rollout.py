"""rollout start|status|pause|resume|promote|abort|replay, and rollback."""

from __future__ import annotations

import math

import click

from lockgate.domain.rollouts import Phase, Rollout, Signal, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.cli import DONE, FAILED, INCONCLUSIVE, SAID_NO, Sentences
from lockgate.entrypoints.cli.session import Session, verb


@click.group(cls=Sentences)
def rollout() -> None:
    """Start, see, pause, resume, promote, abort or replay a rollout."""


@verb()
@click.argument("model")
@click.argument("version", type=int)
@click.option("--to", "environment", type=click.Choice(["staging", "production"]), default="staging", show_default=True)
def start(session: Session, model: str, version: int, environment: str) -> None:
    """Open a rollout of VERSION of MODEL; into production it needs an approved request: use `lockgate request`."""
    from lockgate.usecases.start_rollout import start_rollout

    opened = start_rollout(session.world, model, version, environment, session.actor)

    def show() -> None:
        click.echo(f"{opened.id}: {model} {version} → {environment}, {opened.phase.value}")
        click.echo(f"Next: lockgate rollout status {opened.id}")

    session.answer(opened, show)


@verb()
@click.argument("rollout_id", metavar="ID", required=False)
def status(session: Session, rollout_id: str | None) -> int:
    """Show one rollout, or all of them. The exit code of one: 0 promoted or going on, 3 aborted, 4 held for a person."""
    from lockgate.ports.state import ROLLOUTS
    from lockgate.usecases.find_things import rollout_by

    with session.world.state.read() as tx:
        if rollout_id is None:
            found = tx.find(ROLLOUTS, newest_first=True, limit=50)
            rows = [(one.id, one.model, one.version, one.environment, one.strategy.value, _state(one)) for one in found]
            columns = ("rollout", "model", "version", "environment", "strategy", "state")
            session.answer(found, lambda: session.table("Rollouts", columns, rows, "none yet: lockgate request"))
            return DONE
        one = rollout_by(tx, rollout_id)
        last = _last_row(session, one)
    session.answer(one, lambda: _show(one, last, _waiting_for(session, one)))
    return {"aborted": SAID_NO, "holding": INCONCLUSIVE}.get(one.phase.value, DONE)


def _last_row(session: Session, one: Rollout) -> dict[str, float]:
    from lockgate.ports.state import JOURNAL

    with session.world.state.read() as tx:
        row = tx.get(JOURNAL, one.id, one.rows - 1) if one.rows else None
    return row.evidence if row else {}


def _state(one: Rollout) -> str:
    from lockgate.stages.deliver.rollout import weight

    silent = one.strategy is Strategy.REPLACE or (one.ended_at is not None and one.verdict is JudgeVerdict.WAIT)
    judged = "" if silent else f", judge says {one.verdict.value}"
    share = "" if one.ended_at else f" at {weight(one):.0%}"
    return f"{one.phase.value}{share}{judged}"


def _waiting_for(session: Session, one: Rollout) -> str:
    """What a rollout that prepares waits for; empty for any other."""
    from lockgate.usecases.live_workers import live_workers

    if one.phase is not Phase.PREPARING:
        return ""
    with session.world.state.read() as tx:
        workers = live_workers(tx, session.world.clock.now())
    return (
        f"waiting until all of {len(workers)} workers have loaded it" if workers else "no worker is alive to load it: lockgate up"
    )


def _show(one: Rollout, evidence: dict[str, float], waiting: str) -> None:
    click.echo(f"{one.id}: {one.model} {one.version} → {one.environment} by {one.strategy.value}, {_state(one)}")
    if waiting:
        click.echo(f"  {waiting}")
    if one.outcome and one.outcome.detail:
        click.echo(f"  {one.outcome.detail}")
    if one.outcome and one.outcome.exposed_requests:
        click.echo(f"  {one.outcome.requests} requests seen, {one.outcome.exposed_requests} answered by version {one.version}")
    if one.outcome and one.outcome.crossed_at and one.outcome.enforced_at:
        seconds = (one.outcome.enforced_at - one.outcome.crossed_at).total_seconds()
        click.echo(f"  {seconds:.2f} s from the deciding observation to the last worker's new routes")
    for name, value in sorted(evidence.items()):
        click.echo(f"  {name:24} e = {math.exp(min(value, 700)):.3g}")
    if one.strategy is Strategy.REPLACE:
        return
    click.echo(f"  HARM at e ≥ {1 / one.judge.alpha:.0f}, SAFE at e ≥ {1 / one.judge.beta:.0f} for each metric")


def _signal(name: str, signal: Signal, text: str) -> click.Command:
    @verb(name, help=text)
    @click.argument("rollout_id", metavar="ID")
    @click.option("--reason", default="")
    def command(session: Session, rollout_id: str, reason: str) -> None:
        from lockgate.usecases.steer_rollout import steer

        changed = steer(session.world, rollout_id, signal, session.actor, reason)
        session.answer(changed, lambda: click.echo(f"{changed.id} is {_state(changed)}"))

    return command


@verb()
@click.argument("rollout_id", metavar="ID")
def replay(session: Session, rollout_id: str) -> int:
    """Derive every verdict of a rollout again from its journal and compare it with what was said."""
    from lockgate.usecases.replay_rollout import replay_rollout

    replayed = replay_rollout(session.world, rollout_id)
    session.answer(replayed, lambda: click.echo(replayed.sentence))
    return DONE if replayed.same else FAILED


@verb()
@click.argument("model")
@click.option("--reason", default="")
@click.option("--to", type=int, help="The version to go back to; needed only after a roll-back.")
def rollback(session: Session, model: str, reason: str, to: int | None) -> None:
    """Go back to the version of MODEL that served before; with a rollout under way, abort it."""
    from lockgate.usecases.roll_back import roll_back

    done = roll_back(session.world, model, session.actor, reason, to)
    now_live = done.baseline if done.verdict is not JudgeVerdict.SAFE and done.phase.value == "aborted" else done.version
    session.answer(done, lambda: click.echo(f"{model} is back at version {now_live}. Next: lockgate status"))


for command in (
    start,
    status,
    replay,
    _signal("pause", Signal.PAUSE, "Keep the canary's share as it is; harm still ends the rollout."),
    _signal("resume", Signal.RESUME, "Go on after a pause, or grant a held rollout more exposure."),
    _signal("promote", Signal.PROMOTE, "Promote without waiting for proof. Recorded as your decision."),
    _signal("abort", Signal.ABORT, "Send all units back to the champion."),
):
    rollout.add_command(command)
