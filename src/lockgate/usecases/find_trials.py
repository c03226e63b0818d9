"""Which checkpoint of online learning is being judged?"""

from __future__ import annotations

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.rollouts import Rollout, Strategy
from lockgate.ports.state import Reader
from lockgate.usecases.find_rollouts import rollouts_under_way


def trial_of(tx: Reader, model: str) -> Rollout | None:
    """Its rollout; there is one at a time."""
    return next((one for one in rollouts_under_way(tx, model) if is_trial(one)), None)


def is_trial(rollout: Rollout) -> bool:
    return rollout.strategy is Strategy.ONLINE and rollout.environment == PRODUCTION
