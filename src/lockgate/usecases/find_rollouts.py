"""Which rollouts are under way? The machine says which phases are final; all others are."""

from __future__ import annotations

from typing import Any

from lockgate.domain.rollouts import Rollout
from lockgate.ports.state import ROLLOUTS, Reader
from lockgate.stages.deliver.rollout import UNDER_WAY


def rollouts_under_way(tx: Reader, model: str | None = None) -> list[Rollout]:
    """Of one model, or of all; by phase, in the order in which they started."""
    asked: dict[str, Any] = {} if model is None else {"model": model}
    return [rollout for phase in UNDER_WAY for rollout in tx.find(ROLLOUTS, phase=phase.value, **asked)]
