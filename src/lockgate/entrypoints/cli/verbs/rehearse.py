"""rehearse: a project's rollout plan before production."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lockgate.domain.rollouts import Plan
from lockgate.entrypoints.cli.session import Session, verb
from lockgate.kernel.clock import SystemClock
from lockgate.kernel.errors import Invalid
from lockgate.kernel.quantities import format_share, parse_duration, parse_share
from lockgate.project.load import Project, load
from lockgate.stages.deliver.rehearsal import SCENARIOS, Count, End, Fault, Scenario, Spread, Summary, Traffic, duration, injected
from lockgate.usecases.assume_traffic import Asked, assume_traffic
from lockgate.usecases.read_traffic import Recorded, read_traffic
from lockgate.usecases.rehearse import RUNS, SECONDS, Bounds, Rehearsed, check_rehearsable, rehearse, scenarios_of

NAMES = [scenario.name for scenario in SCENARIOS]


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:  # not a number is not one of these
            raise ValueError(f"a number from {low:g} to {high:g} expected")
        return value

    return parse


_INJECTED = {  # name → field of a fault, and how its value is read
    "errors": ("errors", parse_share),
    "latency": ("latency_ratio", _number(0.001, 1000)),
    "labels": ("labels_ratio", _number(0.001, 1000)),
    "router": ("router_ratio", _number(0.001, 1000)),
}


def _read(parse: Callable[[str], float]) -> Callable[[click.Context, click.Parameter, str | None], float | None]:
    def read(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r} found; {error}") from error

    return read


def _names(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    for name in given:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, 1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise click.BadParameter(f"{name!r} found; {', '.join(NAMES)} expected.{meant}")
    return given


def _fault(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> Fault | None:
    """All that is given, in one fault."""
    changes: dict[str, Any] = {}
    for one in given:
        name, _, value = one.partition("=")
        if name not in _INJECTED:
            raise click.BadParameter(f"{one!r} found; errors=3%, latency=1.3, labels=1.25 or router=1.2 expected")
        field, parse = _INJECTED[name]
        if field in changes:
            raise click.BadParameter(f"{name} found twice; once expected")
        try:
            changes[field] = parse(value)
        except ValueError as error:
            raise click.BadParameter(f"{one!r} found; {error}") from error
    return Fault(**changes) if changes else None


def _said(name: str, metavar: str, parse: Callable[[str], float], text: str) -> Callable[[Any], Any]:
    return click.option(name, metavar=metavar, callback=_read(parse), help=text)


@verb("rehearse")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.option("--environment", type=click.Choice(["production", "staging"]), default="production", show_default=True)
@click.option("--traffic", "source", type=click.Choice(["synthetic", "recorded"]), default="synthetic", show_default=True)
@_said("--requests-per-second", "R", _number(1e-6, 1e9), "Requests on average. [synthetic: 20]")
@_said("--hours", "H", _number(1e-3, 1e6), "How long a run is followed. [a day after the first label]")
@_said("--errors", "SHARE", parse_share, "The champion's failures. [synthetic: 1%]")
@_said("--latency-ms", "MS", _number(0.01, 1e6), "The champion's median; its p99 is 4 times that. [synthetic: 10]")
@click.option("--units", type=click.IntRange(2, 10_000_000), metavar="N", help="Sticky units that there are. [synthetic: 10000]")
@_said("--label-events", "SHARE", parse_share, "Labels that are the judged event. [synthetic: 10%]")
@_said("--label-delay", "TIME", parse_duration, "From answer to label. [synthetic: 1d]")
@click.option("--scenario", "names", multiple=True, metavar="NAME", callback=_names, help=f"Only this: {', '.join(NAMES)}.")
@click.option("--inject", "fault", multiple=True, metavar="K=V", callback=_fault, help="One of your own, such as errors=3%.")
@click.option("--runs", type=click.IntRange(1, 1_000_000), default=RUNS, show_default=True, help="Of each scenario.")
@click.option("--seconds", metavar="S", callback=_read(_number(1e-3, 1e6)), help=f"Stop then, with what there is. [{SECONDS:g}]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed gives the same figures.")
def rehearse_plan(
    session: Session,
    folder: Path,
    *,
    environment: str,
    source: str,
    names: tuple[str, ...],
    fault: Fault | None,
    runs: int,
    seconds: float | None,
    seed: int,
    **said: Any,
) -> None:
    """Say what the rollout plan of the project in FOLDER would do: how soon it finds harm, how many meet it, what it costs.

    The machine and the judge of production go over the plan's steps again and again, on traffic that is drawn: as you describe
    it, or as this home has recorded it of the version in Production.
    """
    project = load(folder)
    plan = project.delivery.environments()[environment].plan
    check_rehearsable(plan)
    scenarios = _scenarios(plan, names, fault)
    recorded = _traffic(session, project, plan, source, said)
    bounds = Bounds(runs, seed, seconds or SECONDS)
    on_progress = _progress if sys.stderr.isatty() else None
    done = rehearse(plan, recorded.traffic, scenarios, bounds, SystemClock(), on_progress)
    told = {
        "model": project.model,
        "environment": environment,
        "steps": plan.steps,
        "unit": plan.unit,
        "traffic": {"source": source, **recorded.traffic.figures(), "told": recorded.told},
        "seed": seed,
        "cut": done.cut,
        "warnings": done.warnings,
        "scenarios": done.summaries,
        "sentences": done.sentences,
    }
    session.answer(told, lambda: _show(session, project.model, plan, recorded, done, bounds))


def _scenarios(plan: Plan, names: tuple[str, ...], fault: Fault | None) -> tuple[Scenario, ...]:
    if fault is not None and fault.labels_ratio != 1 and "labels" not in plan.judge.metrics:
        raise Invalid(
            "--inject labels found, but the plan judges no labels", hint="Leave it out, or add labels to judge: metrics"
        )
    known = scenarios_of(plan, names)
    return known if fault is None else (*known, injected(fault))


def _traffic(session: Session, project: Project, plan: Plan, source: str, said: dict[str, Any]) -> Recorded:
    milliseconds = said.pop("latency_ms")
    asked = Asked(latency=None if milliseconds is None else milliseconds / 1000, **said)
    if source == "synthetic":
        return Recorded(assume_traffic(plan, asked), ())
    from lockgate.integrations.local.records import LocalRecords

    return read_traffic(session.world, LocalRecords(session.home.records), project.model, plan, asked)


def _progress(done: int, of: int) -> None:
    end = "\r\x1b[2K" if done == of else ""
    click.echo(f"\r\x1b[2K… {done} of {of} runs{end}", nl=False, err=True)


def _show(session: Session, model: str, plan: Plan, recorded: Recorded, done: Rehearsed, bounds: Bounds) -> None:
    if done.cut and sys.stderr.isatty():
        click.echo("\r\x1b[2K", nl=False, err=True)
    click.echo(f"{model} by {' → '.join(format_share(step) for step in plan.steps)}, unit {plan.unit}")
    click.echo(f"traffic: {_described(recorded.traffic)}")
    for one in recorded.told:
        click.echo(f"  recorded: {one}")
    columns = ("scenario", "runs", "promoted", "stopped", "held", "waiting", "requests", "time", "it answered")
    session.table("Rehearsal (until the end that is right: median / p90)", columns, [_row(one) for one in done.summaries])
    for sentence in done.sentences:
        click.echo(sentence)
    for warning in done.warnings:
        click.echo(f"{click.style('warning', fg='yellow')}: {warning}")
    cut = f" There was no time for {bounds.runs} of each: --seconds." if done.cut else ""
    click.echo(f"{sum(one.runs for one in done.summaries)} runs, seed {bounds.seed}.{cut}")


def _described(traffic: Traffic) -> str:
    figures = traffic.figures()
    parts = [
        f"{traffic.requests_per_second:.3g} requests/s for {traffic.hours:.3g} h",
        f"{100 * traffic.errors:.3g} % errors",
        f"latency p50 {1000 * figures['latency_p50']:.3g} ms, p99 {1000 * figures['latency_p99']:.3g} ms",
    ]
    if traffic.activity:
        parts.append(f"{len(traffic.activity):,} units")
    if traffic.labels:
        one = traffic.labels
        parts.append(f"labels {duration(one.delay)} later for {one.coverage:.0%}, the event in {100 * one.event_rate:.3g} %")
    return ", ".join(parts)


def _row(one: Summary) -> tuple[Any, ...]:
    ends = one.ends
    held = ends[End.INCONCLUSIVE].runs + ends[End.ROUTER_FAULT].runs
    return (
        one.scenario,
        one.runs,
        _share(ends[End.PROMOTED]),
        _share(ends[End.STOPPED]),
        f"{held / one.runs:.1%}" if one.runs else "–",
        _share(ends[End.WAITING]),
        _both(one.requests, "{:,.0f}".format),
        _both(one.seconds, duration),
        _both(one.exposed_requests, "{:,.0f}".format),
    )


def _share(count: Count) -> str:
    return f"{count.share:.1%}" if count.of else "–"


def _both(of: Spread, told: Callable[[float], str]) -> str:
    return " / ".join("never" if value is None else told(value) for value in (of.median, of.p90))
