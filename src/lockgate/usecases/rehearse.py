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
    SCENARIOS,
    End,
    Run,
    Scenario,
    Summary,
    Traffic,
    drive,
    sentence,
    summary,
    visible,
    warnings,
)

RUNS = 200
SECONDS = 60.0
REHEARSED = (Strategy.CANARY,)

_TENTH = 10

_NOTHING_TO_JUDGE = {
    Strategy.REPLACE: "all traffic moves at once, as soon as the version is ready",
    Strategy.BLUE_GREEN: "all traffic moves at once, when a person or the preview's time says so",
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
    scenarios: Sequence[Scenario],
    bounds: Bounds,
    clock: Clock,
    on_progress: Callable[[int, int], None] | None = None,
) -> Rehearsed:
    """Run the plan again and again under each scenario. Unless it is cut, the same seed gives the same figures.

    on_progress: told after each run how many are done, and of how many.

    Raises:
        Invalid: the plan has nothing to judge. InvalidInput: its judge could never say anything.
    """
    check_rehearsable(plan)
    until = clock.monotonic() + bounds.seconds
    runs: dict[str, list[Run]] = {scenario.name: [] for scenario in scenarios}
    wanted = [(number, scenario) for number in range(bounds.runs) for scenario in scenarios if number % _every(scenario) == 0]
    for done, (number, scenario) in enumerate(wanted):  # one of each in turn, so that a cut leaves as many of each
        random = np.random.default_rng([bounds.seed, crc32(scenario.name.encode()), number])
        run = drive(plan, traffic, scenario.fault, random, lambda: clock.monotonic() >= until)
        if run is None:
            return _told(plan, traffic, scenarios, runs, cut=True)
        runs[scenario.name].append(run)
        if on_progress is not None:
            on_progress(done + 1, len(wanted))
    return _told(plan, traffic, scenarios, runs, cut=False)


def _every(scenario: Scenario) -> int:
    """Only each tenth run of what should go on to the end of all hours: such runs are long, and all alike."""
    return _TENTH if End.WAITING in scenario.right else 1


def check_rehearsable(plan: Plan) -> None:
    """
    Raises:
        Invalid: the strategy leaves nothing to judge, or cannot be rehearsed. InvalidInput: the judge could never say anything.
    """  # noqa: D212 - there is nothing else to say
    if why := _NOTHING_TO_JUDGE.get(plan.strategy):
        hint = "To be told by evidence, let production say strategy: canary and steps: [1%, 5%, 25%, 50%]"
        raise Invalid(f"strategy {plan.strategy.value} has nothing to judge and so nothing to rehearse: {why}", hint=hint)
    if plan.strategy not in REHEARSED:
        known = " or ".join(one.value for one in REHEARSED)
        raise Invalid(f"strategy {plan.strategy.value} found; {known} can be rehearsed", hint=f"Rehearse it as strategy: {known}")
    begun(plan)


def scenarios_of(plan: Plan, names: Sequence[str] = ()) -> tuple[Scenario, ...]:
    """Those named, which must be known; without names all in which the judge can see what is changed."""
    if names:
        return tuple(one for one in SCENARIOS if one.name in names)
    return tuple(one for one in SCENARIOS if visible(one, plan.judge))


def _told(plan: Plan, traffic: Traffic, scenarios: Sequence[Scenario], runs: dict[str, list[Run]], *, cut: bool) -> Rehearsed:
    summaries = tuple(summary(scenario, plan, traffic, runs[scenario.name]) for scenario in scenarios)
    return Rehearsed(summaries, tuple(map(sentence, summaries)), warnings(plan, traffic, summaries), cut)
