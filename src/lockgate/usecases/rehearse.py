"""Rehearse a rollout: what a project's plan would do at a given traffic, with faults put in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from lockgate.domain.rollouts import Plan, Strategy
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Invalid
from lockgate.stages.deliver.journal import begun
from lockgate.stages.deliver.rehearsal import (
    Run,
    Scenario,
    Summary,
    Traffic,
    drive,
    scenarios,
    sentence,
    summary,
    visible,
    warnings,
)
from lockgate.stages.deliver.rollout import CONTESTS

RUNS = 200
RUNS_OF_A_CONTEST = 50  # they take longer: there is a look at each arm against each other
SECONDS = 60.0

_NOTHING_TO_JUDGE = {
    Strategy.REPLACE: "all traffic moves at once, as soon as the version is ready",
    Strategy.BLUE_GREEN: "all traffic moves at once, when a person or the preview's time says so",
    Strategy.ONLINE: "the version comes in at once, and its checkpoints are judged on lessons, which nobody knows beforehand",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """runs: of each scenario, at most. seconds: for all of them together; what is done by then is what there is."""

    runs: int = RUNS
    seed: int = 0
    seconds: float = SECONDS


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """cut: there was no time for all runs. sentences: one for each summary, in their order."""

    summaries: tuple[Summary, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    cut: bool


def rehearse(
    plan: Plan,
    traffic: Traffic,
    under: Sequence[Scenario],
    bounds: Bounds,
    clock: Clock,
    on_progress: Callable[[int, int], None] | None = None,
) -> Rehearsed:
    """Run the plan again and again under each of these scenarios. Unless it is cut, the same seed gives the same figures.

    on_progress: told after each run how many are done, and of how many.

    Raises:
        Invalid: the plan has nothing to judge. InvalidInput: its judge could never say anything.
    """
    check_rehearsable(plan)
    until = clock.monotonic() + bounds.seconds
    runs: dict[str, list[Run]] = {scenario.name: [] for scenario in under}
    wanted = [(number, scenario) for number in range(bounds.runs) for scenario in under if number % scenario.every == 0]
    for done, (number, scenario) in enumerate(wanted):  # one of each in turn, so that a cut leaves as many of each
        random = np.random.default_rng([bounds.seed, crc32(scenario.name.encode()), number])
        run = drive(plan, traffic, scenario.fault, random, lambda: clock.monotonic() >= until)
        if run is None:
            return _told(plan, traffic, under, runs, cut=True)
        runs[scenario.name].append(run)
        if on_progress is not None:
            on_progress(done + 1, len(wanted))
    return _told(plan, traffic, under, runs, cut=False)


def usual_runs(plan: Plan) -> int:
    """Of each scenario: as many as take about a minute."""
    return RUNS_OF_A_CONTEST if plan.strategy in CONTESTS else RUNS


def check_rehearsable(plan: Plan) -> None:
    """
    Raises:
        Invalid: the strategy leaves nothing to judge. InvalidInput: the judge could never say anything.
    """  # noqa: D212 - there is nothing else to say
    if why := _NOTHING_TO_JUDGE.get(plan.strategy):
        hint = "To be told by evidence, let production say strategy: canary and steps: [1%, 5%, 25%, 50%]"
        raise Invalid(f"strategy {plan.strategy.value} has nothing to judge and so nothing to rehearse: {why}", hint=hint)
    if "loss" in plan.judge.metrics:
        hint = "Leave loss out of judge: metrics for the rehearsal; labels, with an event, can be rehearsed"
        raise Invalid("metrics that name loss found: a rehearsal draws events, and a loss needs scores", hint=hint)
    begun(plan)


def scenarios_of(plan: Plan, names: Sequence[str] = ()) -> tuple[Scenario, ...]:
    """Those named; without names all in which the judge can see what is changed.

    Raises:
        Invalid: the strategy has no scenario of that name.
    """
    known = scenarios(plan)
    if unknown := [name for name in names if name not in {one.name for one in known}]:
        found = f"scenario {unknown[0]} found, which strategy {plan.strategy.value} does not know"
        raise Invalid(found, hint=f"Name some of {', '.join(one.name for one in known)}, or leave --scenario out for all")
    if names:
        return tuple(one for one in known if one.name in names)
    return tuple(one for one in known if visible(one, plan.judge))


def _told(plan: Plan, traffic: Traffic, under: Sequence[Scenario], runs: dict[str, list[Run]], *, cut: bool) -> Rehearsed:
    summaries = tuple(summary(scenario, plan, traffic, runs[scenario.name]) for scenario in under)
    return Rehearsed(summaries, tuple(map(sentence, summaries)), warnings(plan, traffic, summaries), cut)
