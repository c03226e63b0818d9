"""A contest's arms, in lines for people: share, goal rate with its interval, probability to be best."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from lockgate.domain.contests import ContestArm
from lockgate.domain.rollouts import Rollout
from lockgate.entrypoints.reading.beside import Line
from lockgate.entrypoints.reading.words import percent
from lockgate.stages.deliver.rollout import shares


def goal_clause(rollout: Rollout) -> str:
    """`most true labels`, `fewest errors`, `fewest scores off by more than 5`."""
    goal = rollout.contest.goal if rollout.contest else None
    if goal is None or goal.event is None:
        return "fewest errors"
    which = "most" if goal.most else "fewest"
    return f"{which} scores {goal.event.words}" if goal.event.of_numbers else f"{which} {goal.event.words} labels"


def contest_lines(rollout: Rollout) -> Iterator[Line]:
    """One for the goal and one for each arm; none for other rollouts."""
    if not rollout.contestants:
        return
    yield Line("goal", goal_clause(rollout))
    for one, share in zip(rollout.contestants, shares(rollout), strict=True):
        yield Line(_named(rollout, one), f"{percent(share)} now, {_figures(one)}")


def shares_over_time(rollout: Rollout, now: datetime) -> dict[str, list[float]]:
    """`at`: Unix seconds; by arm, its share from then on, 0..1, the last one until now or the end. Nothing without a contest."""
    dealt = [step for step in rollout.ramp if step.shares]
    if not rollout.contestants or not dealt:
        return {}
    until = max(rollout.ended_at or now, dealt[-1].at)
    series = {"at": [step.at.timestamp() for step in dealt] + [until.timestamp()]}
    for place, one in enumerate(rollout.contestants):
        series[_named(rollout, one)] = [step.shares[place] for step in dealt] + [dealt[-1].shares[place]]
    return series


def _named(rollout: Rollout, one: ContestArm) -> str:
    return f"version {one.version}{' (champion)' if one.version == rollout.baseline else ''}"


def _figures(one: ContestArm) -> str:
    told = one.figures
    if one.gone:
        return f"left: it cannot be loaded ({one.gone}); {told.requests} requests"
    if told.dropped:
        return f"dropped: it does harm; {told.requests} requests"
    rate = f"{percent(told.events / told.trials)} ({told.events} of {told.trials})" if told.trials else "nothing yet"
    interval = f"between {percent(told.low)} and {percent(told.high)}"
    return f"goal {rate}, {interval}, best with {percent(told.best)}; {told.requests} requests, {told.units} units"
