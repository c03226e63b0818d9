"""Many runs of one scenario in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from lockgate.domain.rollouts import Plan
from lockgate.stages.deliver.rehearsal.drive import Run
from lockgate.stages.deliver.rehearsal.scenarios import WON, End, Scenario, story
from lockgate.stages.deliver.rehearsal.traffic import Traffic
from lockgate.stages.deliver.rollout import CONTESTS
from lockgate.stats.binomial import lower_bound, upper_bound

_OUTSIDE = 0.025  # on either side of a 95 % interval


@dataclass(frozen=True, slots=True)
class Count:
    """runs of `of` runs; low and high: exact 95 % interval of the chance (Clopper and Pearson)."""

    runs: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.runs / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Over all runs; None: more than half of them (a tenth of them) never came so far."""

    median: float | None
    p90: float | None


@dataclass(frozen=True, slots=True)
class Stuck:
    """Where most of the runs stood that proved nothing: the step's weight, and what was not proven there.

    short_of_units: so many of these runs had not seen `min_units` yet. of: so many runs stood there.
    """

    weight: float
    metrics: tuple[str, ...]
    short_of_units: int
    of: int


@dataclass(frozen=True, slots=True)
class Summary:
    """requests, exposed_requests, exposed_units, seconds: until the end that is right, in runs that came to it; so with
    exposed_share, the version's share of the requests, units, of a shadow its labelled pairs, and share, a contest's in the end.

    metrics: those that decided in most of these runs. stuck: None if no run was left without a verdict. won: a contest had a
    winner.
    """

    scenario: str
    story: str
    right: tuple[End, ...]
    runs: int
    ends: dict[End, Count]
    requests: Spread
    exposed_requests: Spread
    exposed_units: Spread
    seconds: Spread
    metrics: tuple[str, ...] = ()
    stuck: Stuck | None = None
    exposed_share: Spread = Spread(None, None)
    units: Spread = Spread(None, None)
    share: Spread = Spread(None, None)
    won: Count | None = None


def summary(scenario: Scenario, plan: Plan, traffic: Traffic, runs: Sequence[Run]) -> Summary:
    came = Counter(run.end for run in runs)
    arrived = [run for run in runs if run.end in scenario.right]
    return Summary(
        scenario.name,
        story(scenario.fault, traffic),
        scenario.right,
        len(runs),
        {end: _count(came[end], len(runs)) for end in End},
        _spread([run.requests for run in arrived], len(runs)),
        _spread([run.exposed_requests for run in arrived], len(runs)),
        _spread([run.exposed_units for run in arrived], len(runs)),
        _spread([run.seconds for run in arrived], len(runs)),
        _deciding(arrived),
        _stuck(plan, [run for run in runs if run.end in (End.INCONCLUSIVE, End.WAITING)]),
        _spread([run.exposed_requests / run.requests for run in arrived if run.requests], len(runs)),
        _spread([run.units for run in arrived], len(runs)),
        _spread([run.share for run in arrived], len(runs)),
        _count(sum(came[end] for end in WON), len(runs)) if plan.strategy in CONTESTS else None,
    )


def _deciding(runs: Sequence[Run]) -> tuple[str, ...]:
    named = Counter(metric for run in runs for metric in run.metrics)
    return tuple(metric for metric, times in named.items() if 2 * times > len(runs))


def _count(runs: int, of: int) -> Count:
    return Count(runs, of, lower_bound(runs, of, _OUTSIDE), upper_bound(runs, of, _OUTSIDE))


def _spread(values: Iterable[float], of: int) -> Spread:
    """The median and the 90 % quantile of `of` values, of which those that are missing are larger than all others."""
    known = sorted(values)
    median, late = (max(0, ceil(q * of) - 1) for q in (0.5, 0.9))
    return Spread(known[median] if median < len(known) else None, known[late] if late < len(known) else None)


def _stuck(plan: Plan, runs: Sequence[Run]) -> Stuck | None:
    if not runs:
        return None
    step, _ = Counter(run.step for run in runs).most_common(1)[0]
    there = [run for run in runs if run.step == step]
    unproven = Counter(metric for run in there for metric in run.metrics)
    short = sum(run.units < plan.judge.min_units for run in there)
    weight = plan.steps[step] if plan.steps else plan.share
    return Stuck(weight, tuple(metric for metric, _ in unproven.most_common()), short, len(there))
