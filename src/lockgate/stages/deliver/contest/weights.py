"""The shares by which units are dealt out next: from counts, and from nothing else; and a contest's rollout after a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from lockgate.domain.contests import Allocation, Contest, ContestArm
from lockgate.domain.rollouts import Phase, Rollout, Strategy
from lockgate.stages.deliver.contest.state import ContestState, Tally
from lockgate.stages.deliver.judge import Report
from lockgate.stats.allocation import best_probabilities, floored, top_two

_NOTICEABLE = 0.015  # two points or more: shares are whole points


def probabilities(state: ContestState) -> tuple[float, ...]:
    """By arm, to be the best one of those that are still in; 0 for those that are not."""
    return _placed(state, best_probabilities(*_counts(state), most=state.contest.goal.most).tolist())


def shares(state: ContestState, *, bandit: bool, best: Sequence[float] = ()) -> tuple[float, ...]:
    """By arm. Without a bandit the split is fixed; what was dropped has gone to the champion. best: `probabilities`, if known."""
    if not bandit:
        return _without(state.contest, state.dropped)
    known = best or probabilities(state)
    left = np.array([known[arm] for arm in state.left])
    wanted = top_two(left) if state.contest.allocation is Allocation.TOP_TWO and len(left) > 1 else left
    return _placed(state, floored(wanted, state.contest.floor).tolist())


def due(before: Sequence[float], after: Sequence[float], since: datetime, now: datetime, contest: Contest) -> bool:
    """Whether a bandit's shares are to change: it is time, and some share would move by more than a point."""
    moved = max(abs(one - other) for one, other in zip(before, after, strict=True))
    return moved > _NOTICEABLE and now - since >= timedelta(seconds=contest.reweigh)


def with_shares(arms: Sequence[ContestArm], weights: Sequence[float]) -> tuple[ContestArm, ...]:
    return tuple(replace(arm, weight=weight) for arm, weight in zip(arms, weights, strict=True))


def dealt(rollout: Rollout, state: ContestState, judged: Report, now: datetime) -> Rollout:
    """The rollout after a look, with its arms' figures and shares. judged: what was said of the state.

    What was dropped or has left loses its share at once, in whatever phase; before the first step to the champion. Otherwise a
    bandit's shares change while it progresses, when it is time, and a fixed split never does.
    """
    arms = list(zip(rollout.contestants, judged.arms, strict=True))
    changed = replace(
        rollout,
        contestants=tuple(replace(one, figures=told) for one, told in arms),
        winner=None if judged.winner is None else rollout.contestants[judged.winner].version,
    )
    bandit = rollout.strategy is Strategy.BANDIT and rollout.step >= 0
    weights = shares(state, bandit=bandit, best=[told.best for _, told in arms])
    dropped = any(told.dropped and not one.figures.dropped for one, told in arms)
    if not dropped and not _moves(changed, weights, state, now):
        return changed
    return replace(changed, contestants=with_shares(changed.contestants, weights), reweighed_at=now)


def _moves(rollout: Rollout, weights: tuple[float, ...], state: ContestState, now: datetime) -> bool:
    if rollout.strategy is not Strategy.BANDIT or rollout.phase is not Phase.PROGRESSING:
        return False
    before = [one.weight for one in rollout.contestants]
    return due(before, weights, rollout.reweighed_at or rollout.started_at, now, state.contest)


def _counts(state: ContestState) -> tuple[np.ndarray, np.ndarray]:
    tallies: list[Tally] = [state.tallies[arm] for arm in state.left]
    return np.array([one.trials for one in tallies]), np.array([one.events for one in tallies])


def _placed(state: ContestState, values: Sequence[float]) -> tuple[float, ...]:
    by_arm = dict(zip(state.left, values, strict=True))
    return tuple(by_arm.get(arm, 0.0) for arm in range(state.arms))


def _without(contest: Contest, dropped: Sequence[int]) -> tuple[float, ...]:
    split = contest.beginning
    gone = sum(split[arm] for arm in dropped)
    return (split[0] + gone, *(0.0 if arm in dropped else split[arm] for arm in range(1, contest.arms)))
