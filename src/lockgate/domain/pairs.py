"""What shadows scored, on its way to the judge: kept until the label comes, then until the judge has seen both."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

MOST_WAITING = 200_000  # scores of one rollout that wait for their labels; above it they are thinned out
_BITS = 64


@dataclass(frozen=True, slots=True)
class ShadowScore:
    """What a rollout's shadow scored where the prediction was answered. Its label has not come."""

    rollout: str
    prediction_id: str
    score: float


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """A label with what shadow and champion had scored. key: the unit's."""

    rollout: str
    prediction_id: str
    key: int
    shadow: float
    champion: float
    label: float


@dataclass(frozen=True, slots=True)
class Sample:
    """Which of a rollout's pairs are kept for their labels: all at first, half of them after each halving.

    By a hash of the prediction's id, so that who is kept has nothing to do with what was scored. passed: how many of those that
    are kept were looked at since the last halving; None: all.
    """

    rollout: str
    halvings: int = 0
    passed: int | None = None

    def takes(self, prediction_id: str) -> bool:
        digest = blake2b(prediction_id.encode(), digest_size=_BITS // 8).digest()
        return int.from_bytes(digest, "big") >> (_BITS - self.halvings) == 0


@dataclass(frozen=True, slots=True)
class Pairing:
    """How far prediction records were read for pairs, and for which rollouts some are kept. There is one."""

    cursor: dict[str, Any] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    name: str = "current"
