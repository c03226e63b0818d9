"""A contest's arms, in lines for people: share, goal rate with its interval, probability to be best."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.domain.contests import ContestArm
from lockgate.domain.rollouts import Rollout
from lockgate.entrypoints.reading.beside import Line
from lockgate.entrypoints.reading.words import percent
from lockgate.stages.deliver.rollout import shares


def goal_clause(rollout: Rollout) -> str:
    """`most of true labels`, `fewest errors`."""
    goal = rollout.contest.goal if rollout.contest else None
    if goal is None or goal.event is None:
        return "fewest errors"
    return f"{'most' if goal.most else 'fewest'} {goal.event.event.replace('_', ' ')} labels"


def contest_lines(rollout: Rollout) -> Iterator[Line]:
    """One for the goal and one for each arm; none for other rollouts."""
    if not rollout.contestants:
        return
    yield Line("goal", goal_clause(rollout))
    for one, share in zip(rollout.contestants, shares(rollout), strict=True):
        champion = " (champion)" if one.version == rollout.baseline else ""
        yield Line(f"version {one.version}{champion}", f"{percent(share)} now, {_figures(one)}")


def _figures(one: ContestArm) -> str:
    told = one.figures
    if told.dropped:
        return f"dropped: it does harm; {told.requests} requests"
    rate = f"{percent(told.events / told.trials)} ({told.events} of {told.trials})" if told.trials else "nothing yet"
    interval = f"between {percent(told.low)} and {percent(told.high)}"
    return f"goal {rate}, {interval}, best with {percent(told.best)}; {told.requests} requests, {told.units} units"
