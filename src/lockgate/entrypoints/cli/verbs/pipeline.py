"""plan, run, why, contract, runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from lockgate.domain.runs import Run, RunStatus, StepRun, StepStatus
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.entrypoints.cli import DONE, FAILED, INCONCLUSIVE, SAID_NO, Sentences
from lockgate.entrypoints.cli.session import Session, ago, line_of, verb
from lockgate.kernel.errors import NotFound

PROJECT = click.option(
    "--project",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    help="The project's folder; here by default.",
)
COMMIT = click.option("--commit", metavar="REF", help="Build what this commit holds, instead of the folder as it stands.")
_TAIL = 15  # lines of a failed step's log
_MARK = {"done": ("✔", "green"), "reused": ("≡", "cyan"), "failed": ("✘", "red"), "skipped": ("–", "yellow")}


def _parameter(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """`k=v`; v as JSON where it is JSON, else as text."""
    read: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise click.BadParameter(f"{one!r} found, NAME=VALUE expected")
        try:
            read[name] = json.loads(value)
        except json.JSONDecodeError:
            read[name] = value
    return read


def _check_project(folder: Path, commit: str | None) -> None:
    """Before a home is made in a folder that is no project."""
    if commit is None and not (folder / "lockgate.yaml").is_file():
        hint = "Go to a project's folder, name one by --project, or make one: lockgate init DIR"
        raise NotFound(f"there is no lockgate.yaml in {folder.absolute()}", hint=hint)


PARAMS = click.option(
    "--param", "params", multiple=True, metavar="K=V", callback=_parameter, help="In place of the project file's."
)


@verb(makes_home=True)
@PROJECT
@COMMIT
@PARAMS
def plan(session: Session, folder: Path, commit: str | None, params: dict[str, Any]) -> None:
    """Say what would run, and why, without running any of the project's code."""
    from lockgate.usecases.plan_pipeline import plan_pipeline
    from lockgate.wiring.pipelines import build_world

    _check_project(folder, commit)
    planned = plan_pipeline(session.world, build_world(session.home, session.world), folder, commit=commit, params=params)
    rows = [(one.task.kind.value, one.task.name, one.intent.value, one.reason) for one in planned]
    told = [dict(zip(("kind", "name", "intent", "reason"), row, strict=True)) for row in rows]
    session.answer(told, lambda: session.table("Plan", ("kind", "name", "would", "why"), rows))


@verb(makes_home=True)
@PROJECT
@COMMIT
@PARAMS
def run(session: Session, folder: Path, commit: str | None, params: dict[str, Any]) -> int:
    """Take the project through checks, data contract, training, gates and packaging to a registered version.

    Exit codes: 0 registered, 1 something broke, 3 a check, contract or gate said no, 4 a gate could not tell.
    """
    from lockgate.usecases.run_pipeline import run_pipeline
    from lockgate.wiring.pipelines import build_world

    _check_project(folder, commit)
    on_progress = None if session.as_json else _Progress()
    build = build_world(session.home, session.world)
    done = run_pipeline(session.world, build, folder, actor=session.actor, commit=commit, params=params, on_progress=on_progress)
    session.answer(done, lambda: _show_end(session, done))
    return _exit_code(done)


def _exit_code(done: Run) -> int:
    if done.status is RunStatus.REGISTERED:
        return DONE
    if done.status is not RunStatus.REFUSED:
        return FAILED
    verdicts = {gate.verdict for gate in done.gates if gate.waived is None} - {GateVerdict.PASS}
    return INCONCLUSIVE if verdicts == {GateVerdict.INCONCLUSIVE} else SAID_NO


class _Progress:
    """A line for each task when it ends; on a terminal also a moving line for what runs now."""

    def __init__(self) -> None:
        self._running: set[str] = set()
        self._terminal = sys.stdout.isatty()

    def __call__(self, step: StepRun) -> None:
        name = f"{step.kind} {step.name}"
        if self._terminal:
            click.echo("\r\x1b[2K", nl=False)
        if step.status.value == "running":
            self._running.add(name)
        elif step.status.value in _MARK:
            self._running.discard(name)
            mark, colour = _MARK[step.status.value]
            seconds = f"{step.seconds:.1f} s" if step.seconds else step.status.value
            click.echo(f"{click.style(mark, fg=colour)} {name:24} {click.style(seconds, dim=True)}")
        if self._terminal and self._running:
            click.echo(click.style("… " + ", ".join(sorted(self._running)), dim=True), nl=False)


def _show_end(session: Session, done: Run) -> None:
    for gate in done.gates:
        _show_gate(gate)
    if done.status is RunStatus.REGISTERED:
        click.echo(f"\n{done.model} version {done.version} is registered. {line_of(done.metrics)}")
        if done.dirty:
            click.echo("It was built from uncommitted changes, so it may not enter Production: commit them and run again.")
        else:
            click.echo(_next_of(session, done))
        return
    for step in done.steps:
        if step.status is StepStatus.FAILED and step.log:
            _show_log(session.home.folder / step.log)
    click.echo(f"\n{done.id} is {done.status.value}: {done.error or 'it has not ended'}", err=True)
    said_no = next((gate for gate in done.gates if gate.verdict is not GateVerdict.PASS and gate.waived is None), None)
    waive = (
        f", or, where the policy lets you: lockgate waive {done.model} {said_no.gate} --why REASON --for 7d" if said_no else ""
    )
    click.echo(f"Next: lockgate runs show {done.id}{waive}", err=True)


def _next_of(session: Session, done: Run) -> str:
    """Where the policy lets a new version go."""
    from lockgate.domain.models import Stage
    from lockgate.usecases.find_rule import goal_from

    with session.world.state.read() as tx:
        goal = goal_from(tx, Stage.NONE)
    if goal is None:
        return "Next: lockgate policy show. It has no move out of None for the version."
    return f"Next: lockgate request {done.model} {done.version} --to {goal.value}"


def _show_gate(gate: GateResult) -> None:
    colour = {"PASS": "green", "FAIL": "red", "ERROR": "red"}.get(gate.verdict.value, "yellow")
    if gate.waived is None:
        click.echo(f"{click.style(gate.verdict.value, fg=colour)} {gate.rule}: {gate.detail}")
        return
    from lockgate.entrypoints.reading.words import moment

    word, waived = click.style("WAIVED", fg="magenta"), gate.waived
    click.echo(f"{word} {gate.rule}: {gate.verdict.value}, {gate.detail}")
    click.echo(f"  waived by {waived.by} until {moment(waived.until)} ({waived.waiver}): {waived.why}")


def _show_log(log: Path) -> None:
    """The end of what a failed step printed: most often the reason stands there."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    if not lines:
        return
    click.echo(click.style(f"\nThe end of {log}:", dim=True), err=True)
    for line in lines[-_TAIL:]:
        click.echo(f"  {line}", err=True)


@verb(makes_home=True)
@click.argument("step")
@PROJECT
def why(session: Session, step: str, folder: Path) -> None:
    """Say why STEP would run again, or why not: which of all that it depends on has changed."""
    from lockgate.usecases.explain_step import explain_step
    from lockgate.wiring.pipelines import build_world

    _check_project(folder, None)
    found = explain_step(session.world, build_world(session.home, session.world), folder, step)

    def show() -> None:
        click.echo(f"{step}: {found.intent.value}, {found.reason}")
        for one in found.changed:
            click.echo(f"  {one}")

    session.answer({"step": step, "intent": found.intent.value, "reason": found.reason, "parts": found.parts}, show)


@click.group(cls=Sentences)
def contract() -> None:
    """Learn a data contract from data."""


@verb()
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write it there; printed otherwise.")
def learn(session: Session, data: Path, target: Path | None) -> None:
    """Write down what DATA (Parquet or CSV) looks like, for people to review and to commit."""
    import yaml

    from lockgate.integrations.pandera.learn import learn_file
    from lockgate.kernel.clock import SystemClock

    learned = learn_file(data, SystemClock().unix())
    text = yaml.safe_dump(learned, sort_keys=False, allow_unicode=True)
    if target is None:
        session.answer(learned, lambda: click.echo(text, nl=False))
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    told = f"{target} says what {data} looks like today. Review it: what must hold tomorrow?"
    session.answer(learned, lambda: click.echo(told))


contract.add_command(learn)


class _ListedByDefault(Sentences):
    """`runs` alone, or with options only, lists."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        asks = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if asks else args)


@click.group(cls=_ListedByDefault)
def runs() -> None:
    """List the runs, or show one."""


@verb("list")
@click.option("--model", help="Only runs of this model.")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
def list_runs(session: Session, model: str | None, limit: int) -> None:
    """List the latest runs."""
    from lockgate.ports.state import RUNS

    now = session.world.clock.now()
    with session.world.state.read() as tx:
        found = (
            tx.find(RUNS, model=model, newest_first=True, limit=limit) if model else tx.find(RUNS, newest_first=True, limit=limit)
        )
    rows = [
        (
            one.id,
            one.model,
            one.status.value,
            one.version or "",
            ago((now - one.created_at).total_seconds()),
            one.cause,
            one.error or line_of(one.metrics),
        )
        for one in found
    ]
    columns = ("run", "model", "status", "version", "age", "cause", "outcome")
    session.answer(found, lambda: session.table("Runs", columns, rows, "none yet: lockgate run"))


@verb("show")
@click.argument("run_id", metavar="ID")
def show_run(session: Session, run_id: str) -> None:
    """Show a run: its steps, its gates, what stopped it."""
    from lockgate.ports.state import RUNS

    with session.world.state.read() as tx:
        found = tx.get(RUNS, run_id)
    if found is None:
        raise NotFound(f"there is no run {run_id!r}", hint="See lockgate runs")

    def show() -> None:
        click.echo(f"{found.id}: {found.model}, {found.status.value}, commit {found.commit or 'none'}, cause {found.cause}")
        rows = [
            (one.kind, one.name, one.status.value, f"{one.seconds or 0:.1f}", one.error or one.log or "") for one in found.steps
        ]
        session.table("Steps", ("kind", "name", "status", "seconds", "log"), rows)
        _show_end(session, found)

    session.answer(found, show)


for command in (list_runs, show_run):
    runs.add_command(command)
