"""What a rollout may spend of the year's chance of a false HARM."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.rollouts import Rollout, Strategy
from lockgate.stages.deliver.rollout import has_judge
from lockgate.stats.budget import share

YEAR = timedelta(days=365)


def spends(rollout: Rollout) -> bool:
    """Whether a false HARM of it would be one of the year's: one into Production with a judge, but no checkpoint of online
    learning. Those are many, nobody gets their answers, and the next one is judged when one is sent home.
    """
    return rollout.environment == PRODUCTION and has_judge(rollout) and rollout.strategy is not Strategy.ONLINE


def spent(rollout: Rollout) -> float:
    """Harm is looked for once more after a promotion that holds units back, with the same α."""
    return rollout.judge.alpha * _tests(rollout)


def within_budget(rollout: Rollout, others: Iterable[Rollout]) -> Rollout:
    """A rollout that begins, with the α that the year leaves it; with its plan's where there is no budget. others: of its model.

    Within any 365 days what those of the budget spend adds up to less than the budget (`lockgate.stats.budget`).
    """
    policy = rollout.judge
    if policy.alpha_per_year is None or not spends(rollout):
        return rollout
    since = rollout.started_at - YEAR
    left = share([spent(one) for one in others if spends(one) and one.started_at >= since], policy.alpha_per_year)
    alpha = min(policy.alpha, left / _tests(rollout))
    if alpha == policy.alpha:
        return rollout
    return replace(rollout, judge=replace(policy, alpha=alpha), plan_alpha=policy.alpha)


def _tests(rollout: Rollout) -> int:
    return 2 if rollout.hold_back else 1
