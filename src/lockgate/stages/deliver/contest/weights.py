"""The shares by which units are dealt out next: from counts, and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from lockgate.domain.contests import Allocation, Contest, ContestArm
from lockgate.stages.deliver.contest.state import ContestState, Tally
from lockgate.stats.allocation import best_probabilities, floored, top_two

_NOTICEABLE = 0.015  # two points or more: shares are whole points


def probabilities(state: ContestState) -> tuple[float, ...]:
    """By arm, to be the best one of those that are still in; 0 for those that are not."""
    return _placed(state, best_probabilities(*_counts(state), most=state.contest.goal.most).tolist())


def shares(state: ContestState, *, bandit: bool) -> tuple[float, ...]:
    """By arm. Without a bandit the split is fixed; what was dropped has gone to the champion."""
    if not bandit:
        return _without(state.contest, state.dropped)
    best = best_probabilities(*_counts(state), most=state.contest.goal.most)
    wanted = top_two(best) if state.contest.allocation is Allocation.TOP_TWO and len(best) > 1 else best
    return _placed(state, floored(wanted, state.contest.floor).tolist())


def due(before: Sequence[float], after: Sequence[float], since: datetime, now: datetime, contest: Contest) -> bool:
    """Whether a bandit's shares are to change: it is time, and some share would move by more than a point."""
    moved = max(abs(one - other) for one, other in zip(before, after, strict=True))
    return moved > _NOTICEABLE and now - since >= timedelta(seconds=contest.reweigh)


def with_shares(arms: Sequence[ContestArm], weights: Sequence[float]) -> tuple[ContestArm, ...]:
    return tuple(replace(arm, weight=weight) for arm, weight in zip(arms, weights, strict=True))


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
