"""rehearse: a project's rollout plan before production."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lockgate.domain.rollouts import Plan, Strategy
from lockgate.entrypoints.cli.session import Session, verb
from lockgate.kernel.clock import SystemClock
from lockgate.kernel.errors import Invalid
from lockgate.kernel.quantities import format_share, parse_duration, parse_share
from lockgate.project.load import Project, load
from lockgate.stages.deliver.rehearsal import (
    Count,
    End,
    Fault,
    Scenario,
    Spread,
    Summary,
    Traffic,
    duration,
    injected,
    judged_event,
    scenario_names,
)
from lockgate.stages.deliver.rollout import CONTESTS
from lockgate.usecases.assume_traffic import Asked, assume_traffic
from lockgate.usecases.read_traffic import Recorded, read_traffic
from lockgate.usecases.rehearse import SECONDS, Bounds, Rehearsed, check_rehearsable, rehearse, scenarios_of, usual_runs

NAMES = scenario_names()


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
    "differing": ("differing", parse_share),
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
            raise click.BadParameter(f"{one!r} found; errors=3%, latency=1.3, labels=1.25, router=1.2 or differing=8% expected")
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
@_said("--differing", "SHARE", parse_share, "Answers in which a shadow that is as good differs. [half of what it may]")
@click.option("--scenario", "names", multiple=True, metavar="NAME", callback=_names, help=f"Only this: {', '.join(NAMES)}.")
@click.option("--inject", "fault", multiple=True, metavar="K=V", callback=_fault, help="One of your own, such as errors=3%.")
@click.option("--runs", type=click.IntRange(1, 1_000_000), help="Of each scenario. [200; of a contest 50]")
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
    runs: int | None,
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
    bounds = Bounds(runs or usual_runs(plan), seed, seconds or SECONDS)
    on_progress = _progress if sys.stderr.isatty() else None
    done = rehearse(plan, recorded.traffic, scenarios, bounds, SystemClock(), on_progress)
    told = {
        "model": project.model,
        "environment": environment,
        "strategy": plan.strategy.value,
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
    if fault is not None and fault.labels_ratio != 1 and judged_event(plan) is None:
        raise Invalid(
            "--inject labels found, but the plan judges no labels", hint="Leave it out, or add labels to judge: metrics"
        )
    if fault is not None and (unknown := _unknown(plan, fault)):
        raise Invalid(
            f"--inject {unknown} found, which strategy {plan.strategy.value} does not look at",
            hint="Leave it out, or inject something that it does look at",
        )
    known = scenarios_of(plan, names)
    return known if fault is None else (*known, injected(fault))


def _unknown(plan: Plan, fault: Fault) -> str:
    """What a shadow, or anything but a shadow, cannot have."""
    if plan.strategy is not Strategy.SHADOW:
        return "differing" if fault.differing is not None else ""
    return "latency" if fault.latency_ratio != 1 else "router" if fault.router_ratio != 1 else ""


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
    click.echo(f"{model} {_planned(plan)}, unit {plan.unit}")
    click.echo(f"traffic: {_described(recorded.traffic)}")
    for one in recorded.told:
        click.echo(f"  recorded: {one}")
    columns, row = _TABLES.get(plan.strategy, _CANARY)
    session.table("Rehearsal (until the end that is right: median / p90)", columns, [row(one) for one in done.summaries])
    for sentence in done.sentences:
        click.echo(sentence)
    for warning in done.warnings:
        click.echo(f"{click.style('warning', fg='yellow')}: {warning}")
    cut = f" There was no time for {bounds.runs} of each: --seconds." if done.cut else ""
    click.echo(f"{sum(one.runs for one in done.summaries)} runs, seed {bounds.seed}.{cut}")


def _planned(plan: Plan) -> str:
    if plan.strategy in CONTESTS and plan.contest:
        split = " / ".join(format_share(round(one, 3)) for one in plan.contest.beginning)
        dealt = f", {plan.contest.allocation.value}" if plan.strategy is Strategy.BANDIT else ""
        return f"by {plan.strategy.value} of {plan.contest.arms} versions from {split}{dealt}"
    if plan.strategy is Strategy.SHADOW:
        return f"as a shadow that is asked about {format_share(plan.share)}"
    return f"by {' → '.join(format_share(step) for step in plan.steps)}"


def _described(traffic: Traffic) -> str:
    figures = traffic.figures()
    parts = [
        f"{traffic.requests_per_second:.3g} requests/s for {traffic.hours:.3g} h",
        f"{100 * traffic.errors:.3g} % errors",
        f"latency p50 {1000 * figures['latency_p50']:.3g} ms, p99 {1000 * figures['latency_p99']:.3g} ms",
    ]
    if traffic.activity:
        parts.append(f"{len(traffic.activity):,} units")
    if traffic.differing is not None:
        parts.append(f"an equal shadow differs in {100 * traffic.differing:.3g} %")
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


def _shadow_row(one: Summary) -> tuple[Any, ...]:
    """Nobody meets a shadow; what it needs is pairs, and labels of them."""
    scenario, *cells, _ = _row(one)
    return (scenario, *cells, _both(one.units, "{:,.0f}".format))


def _contest_row(one: Summary) -> tuple[Any, ...]:
    scenario, runs, promoted, *cells, requests, time, answered = _row(one)
    champion, contender = (_share(one.ends[end]) for end in (End.CHAMPION, End.CONTENDER))
    return (
        scenario,
        runs,
        promoted,
        champion,
        contender,
        *cells,
        requests,
        time,
        answered,
        _both(one.exposed_share, "{:.0%}".format),
    )


_ENDS, _UNTIL = ("promoted", "stopped", "held", "waiting"), ("requests", "time")
_CANARY = (("scenario", "runs", *_ENDS, *_UNTIL, "it answered"), _row)
_CONTEST = (
    ("scenario", "runs", "it won", "champion won", "other won", *_ENDS[1:], *_UNTIL, "it answered", "share of all"),
    _contest_row,
)
_TABLES: dict[Strategy, tuple[tuple[str, ...], Callable[[Summary], tuple[Any, ...]]]] = {
    Strategy.SHADOW: (("scenario", "runs", *_ENDS, "asked", "time", "compared"), _shadow_row),
    Strategy.AB: _CONTEST,
    Strategy.BANDIT: _CONTEST,
}


def _share(count: Count) -> str:
    return f"{count.share:.1%}" if count.of else "–"


def _both(of: Spread, told: Callable[[float], str]) -> str:
    return " / ".join("never" if value is None else told(value) for value in (of.median, of.p90))
