"""rollout start|status|approve|pause|resume|promote|abort|kill|release|replay, and rollback."""

from __future__ import annotations

import math
import time
from datetime import datetime

import click

from lockgate.domain.access import Scope
from lockgate.domain.rollouts import Phase, Rollout, Signal, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.cli import DONE, FAILED, INCONCLUSIVE, SAID_NO, Sentences
from lockgate.entrypoints.cli.session import Session, segment_option, verb
from lockgate.usecases.kill_rollout import Enforcement, followed, kill_rollout

KILL_WAIT = 15.0  # seconds: longer than a worker that died is believed to live


@click.group(cls=Sentences)
def rollout() -> None:
    """Start, see, approve, pause, resume, promote, abort, kill, release or replay a rollout."""


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
    from lockgate.entrypoints.reading.words import place
    from lockgate.ports.state import ROLLOUTS
    from lockgate.usecases.find_things import rollout_by

    with session.world.state.read() as tx:
        if rollout_id is None:
            found = tx.find(ROLLOUTS, newest_first=True, limit=50)
            rows = [(one.id, one.model, one.version, place(one), one.strategy.value, _state(one)) for one in found]
            columns = ("rollout", "model", "version", "environment", "strategy", "state")
            session.answer(found, lambda: session.table("Rollouts", columns, rows, "none yet: lockgate request"))
            return DONE
        one = rollout_by(tx, rollout_id)
        last = _last_row(session, one)
    pairs = _pairs(session, one)
    held = _held(session, one)
    session.answer(one, lambda: _show(one, last, _waiting_for(session, one), [*pairs, *held]))
    return {"aborted": SAID_NO, "holding": INCONCLUSIVE}.get(one.phase.value, DONE)


def _last_row(session: Session, one: Rollout) -> dict[str, float]:
    from lockgate.ports.state import JOURNAL

    with session.world.state.read() as tx:
        row = tx.get(JOURNAL, one.id, one.rows - 1) if one.rows else None
    return row.evidence if row else {}


def _pairs(session: Session, one: Rollout) -> list[str]:
    """What a shadow or a checkpoint said beside the champion, or how a contest's arms do, line by line; of others nothing."""
    from lockgate.entrypoints.reading.beside import side_by_side
    from lockgate.entrypoints.reading.contestants import contest_lines
    from lockgate.entrypoints.reading.progress import Folds
    from lockgate.stages.deliver.rollout import PAIRED

    if one.contestants:
        return [f"{line.name:24} {line.says}" for line in contest_lines(one)]
    if one.strategy not in PAIRED or not one.rows:
        return []
    with session.world.state.read() as tx:
        progress = Folds().progress(tx, one.id)
    return [f"{line.name:24} {line.says}" for line in side_by_side(one, progress)]


def _held(session: Session, one: Rollout) -> list[str]:
    """What the rollout's promotion left behind, line by line; mostly nothing."""
    from lockgate.entrypoints.reading.held import held_after

    with session.world.state.read() as tx:
        held = held_after(tx, one.id)
    if held is None:
        return []
    sides = [
        f"{side.event:24} version {held.hold.version}: {_part(side.promoted)}, version {held.hold.baseline}: {_part(side.before)}"
        for side in held.sides
    ]
    harm = math.exp(min(held.evidence.get("harm", 0.0), 700))
    return [held.says, *sides, f"{'harm after it':24} e = {harm:.3g}, an alarm at {math.exp(held.bound):.0f}"]


def _part(of: tuple[int, int]) -> str:
    return f"{of[0] / of[1]:.2%} ({of[0]} of {of[1]})" if of[1] else "nothing yet"


def _state(one: Rollout) -> str:
    from lockgate.stages.deliver.rollout import has_judge

    silent = not has_judge(one) or (one.ended_at is not None and one.verdict is JudgeVerdict.WAIT)
    judged = "" if silent else f", judge says {one.verdict.value}"
    return f"{one.phase.value}{_met(one)}{judged}"


def _met(one: Rollout) -> str:
    from lockgate.stages.deliver.rollout import met, weight

    if one.ended_at or one.phase is Phase.PREVIEW or one.strategy is Strategy.ONLINE:
        return ""
    return f" about {met(one):.0%}" if one.strategy is Strategy.SHADOW else f" at {weight(one):.0%}"


def _waiting_for(session: Session, one: Rollout) -> str:
    """What a rollout waits for that prepares, is previewed, asks people or misses its labels; empty for any other."""
    from lockgate.entrypoints.reading.words import approve_command, switch_clause, yes_clause
    from lockgate.usecases.live_workers import live_workers
    from lockgate.usecases.note_missing_labels import missing_labels

    if one.phase is Phase.PREVIEW:
        return f"answers those who ask for it; {switch_clause(one)}. Next: lockgate rollout promote {one.id}"
    if one.phase is Phase.AWAITING:
        return f"{yes_clause(one)}. Next: {approve_command(one)}"
    if one.phase is not Phase.PREPARING:
        with session.world.state.read() as tx:
            return missing_labels(tx, one)
    with session.world.state.read() as tx:
        workers = live_workers(tx, session.world.clock.now())
    return (
        f"waiting until all of {len(workers)} workers have loaded it" if workers else "no worker is alive to load it: lockgate up"
    )


def _show(one: Rollout, evidence: dict[str, float], waiting: str, pairs: list[str]) -> None:
    from lockgate.entrypoints.reading.words import alpha_clause, percent, place
    from lockgate.stages.deliver.rollout import has_judge

    click.echo(f"{one.id}: {one.model} {one.version} → {place(one)} by {one.strategy.value}, {_state(one)}")
    if waiting:
        click.echo(f"  {waiting}")
    if one.outcome and one.outcome.detail:
        click.echo(f"  {one.outcome.detail}")
    if one.outcome and one.outcome.exposed_requests:
        whom = "challengers" if one.contestants else f"version {one.version}"
        click.echo(f"  {one.outcome.requests} requests seen, {one.outcome.exposed_requests} answered by {whom}")
    if one.outcome and one.outcome.crossed_at and one.outcome.enforced_at:
        seconds = (one.outcome.enforced_at - one.outcome.crossed_at).total_seconds()
        click.echo(f"  {seconds:.2f} s from the deciding observation to the last worker's new routes")
    elif one.outcome and one.ended_at and one.outcome.enforced_at:
        seconds = (one.outcome.enforced_at - one.ended_at).total_seconds()
        click.echo(f"  {seconds:.2f} s from the decision to the last worker's new routes")
    for line in pairs:
        click.echo(f"  {line}")
    for name, value in sorted(evidence.items()):
        click.echo(f"  {name:24} e = {math.exp(min(value, 700)):.3g}")
    if one.shown.requests:
        click.echo(f"  {one.shown.requests} requests asked for it in its preview, {sum(one.shown.failures.values())} failed")
    if not has_judge(one):
        return
    click.echo(f"  HARM at e ≥ {1 / one.judge.alpha:.0f}, SAFE at e ≥ {1 / one.judge.beta:.0f} for each metric")
    if said := alpha_clause(one):
        click.echo(f"  α is {percent(one.judge.alpha)}, {said}")


def _signal(name: str, signal: Signal, text: str) -> click.Command:
    @verb(name, help=text)
    @click.argument("rollout_id", metavar="ID")
    @click.option("--reason", default="")
    def command(session: Session, rollout_id: str, reason: str) -> None:
        from lockgate.usecases.steer_rollout import steer

        changed = steer(session.world, rollout_id, signal, session.actor, reason)
        session.answer(changed, lambda: click.echo(f"{changed.id} is {_state(changed)}"))

    return command


@verb(scope=Scope.DECIDE)
@click.argument("rollout_id", metavar="ID")
@click.option("--comment", default="", help="Why; it is recorded with your yes.")
@click.option("--share", metavar="SHARE", help="Of the step that you mean, as in 25%; a yes to it is none to another.")
def approve(session: Session, rollout_id: str, comment: str, share: str | None) -> None:
    """Say yes to the step that rollout ID asks people for; the last yes that is needed begins it."""
    from lockgate.usecases.approve_step import approve_step

    changed = approve_step(session.world, rollout_id, session.actor, comment, _share(share))
    waiting = _waiting_for(session, changed)
    session.answer(changed, lambda: click.echo(f"{changed.id} is {_state(changed)}" + (f"; {waiting}" if waiting else "")))


def _share(text: str | None) -> float | None:
    from lockgate.kernel.quantities import parse_share

    try:
        return None if text is None else parse_share(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} found, {error}", param_hint="--share") from error


@verb()
@click.argument("rollout_id", metavar="ID")
@click.option("--reason", default="")
@click.option("--wait", type=click.FloatRange(min=0), default=KILL_WAIT, show_default=True, help="Seconds, for the workers.")
def kill(session: Session, rollout_id: str, reason: str, wait: float) -> int:
    """Abort rollout ID, and wait until every worker is known to answer without it. 1 if one does not say so in time."""
    clock = session.world.clock
    asked_at = clock.now()
    killed = kill_rollout(session.world, rollout_id, session.actor, reason)
    click.echo(f"{killed.id} is aborted; waiting for the workers", err=True)
    for seen in followed(session.world, killed, wait, time.sleep):
        click.echo(f"  {seen.workers - len(seen.missing)} of {seen.workers} workers answer without it", err=True)
    session.answer(
        {"rollout": killed, "asked_at": asked_at, "enforcement": seen}, lambda: click.echo(_enforced(seen, asked_at, wait))
    )
    return DONE if seen.complete else FAILED


def _enforced(seen: Enforcement, asked_at: datetime, wait: float) -> str:
    if seen.at is not None:
        after = f", {(seen.at - asked_at).total_seconds() * 1000:.0f} ms after the command" if seen.at > asked_at else ""
        return f"all of {seen.workers} workers answer without it{after}"
    if not seen.workers:
        return "nobody confirms it: no worker was heard of lately. A data plane that is cut off may go on. Next: lockgate status"
    return f"not confirmed within {wait:g} s: {', '.join(seen.missing)} of {seen.workers} workers. Next: lockgate status"


@verb()
@click.argument("rollout_id", metavar="ID")
@click.option("--reason", default="")
def release(session: Session, rollout_id: str, reason: str) -> None:
    """Give the promoted version the units that rollout ID left with the version before. Harm is not looked for any more then."""
    from lockgate.usecases.release_hold import release_hold

    over = release_hold(session.world, rollout_id, session.actor, reason)
    session.answer(over, lambda: click.echo(f"version {over.version} of {over.model} answers everybody. Next: lockgate status"))


@verb()
@click.argument("rollout_id", metavar="ID")
@click.option("--held-back", is_flag=True, help="What was said after its promotion, while the version before was held back.")
def replay(session: Session, rollout_id: str, held_back: bool) -> int:  # noqa: FBT001 - as click gives it
    """Derive every verdict of a rollout again from its journal and compare it with what was said."""
    from lockgate.usecases.replay_hold import replay_hold
    from lockgate.usecases.replay_rollout import replay_rollout

    replayed = replay_hold(session.world, rollout_id) if held_back else replay_rollout(session.world, rollout_id)
    session.answer(replayed, lambda: click.echo(replayed.sentence))
    return DONE if replayed.same else FAILED


@verb()
@click.argument("model")
@click.option("--reason", default="")
@click.option("--to", type=int, help="The version to go back to; needed only after a roll-back.")
@segment_option("Only this part of the traffic: to its champion before, or to the general one.")
def rollback(session: Session, model: str, reason: str, to: int | None, segment: str | None) -> None:
    """Go back to the version of MODEL that served before; with a rollout under way, abort it."""
    from lockgate.usecases.roll_back import roll_back

    done = roll_back(session.world, model, session.actor, reason, to, segment or "")
    now_live = done.baseline if done.verdict is not JudgeVerdict.SAFE and done.phase.value == "aborted" else done.version
    where = f"segment {segment} of {model}" if segment else model
    what = "the general champion, " if done.falls_back else ""
    moved = "goes back, once every worker has loaded it, to" if done.phase is Phase.PREPARING else "is back at"
    session.answer(done, lambda: click.echo(f"{where} {moved} {what}version {now_live}. Next: lockgate status"))


for command in (
    start,
    status,
    approve,
    kill,
    release,
    replay,
    _signal("pause", Signal.PAUSE, "Keep the canary's share as it is; harm still ends the rollout."),
    _signal("resume", Signal.RESUME, "Go on after a pause, or grant a held rollout more exposure."),
    _signal("promote", Signal.PROMOTE, "Promote without waiting for proof; switch a preview. Recorded as your decision."),
    _signal("abort", Signal.ABORT, "Send all units back to the champion."),
):
    rollout.add_command(command)
