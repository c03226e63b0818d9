"""Pairs for the judge of a shadow: requests and users with known outcomes, as the observations that a controller would make."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.observations import DISAGREED, FAILED
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evidence import ArmObservation, Observation, Pairs
from lockgate.domain.rollouts import Agreement, JudgePolicy

POLICY = JudgePolicy(
    metrics=("agreement", "errors", "labels"),
    agreement=Agreement(0.95, threshold=0.5),
    label_event=LabelEvent("wrong", 0.5),
)


def requests(asked: int, *, failed: int = 0, disagreed: int = 0, labels: Sequence[tuple[int, int, int]] = ()) -> Observation:
    """So many requests, each a unit. labels: (key, shadow's event, champion's event)."""
    shadow = ArmObservation(asked, failed, labels=tuple((key, own) for key, own, _ in labels))
    champion = ArmObservation(asked, labels=tuple((key, other) for key, _, other in labels))
    return Observation(1.0, shadow, champion, pairs=Pairs(asked - failed - disagreed, disagreed))


def units(records: Sequence[tuple[int, int]], labels: Sequence[tuple[int, int, int]] = ()) -> Observation:
    """Requests of units that come back: (key, bits)."""
    failed = sum(bool(bits & FAILED) for _, bits in records)
    disagreed = sum(bits == DISAGREED for _, bits in records)
    shadow = ArmObservation(len(records), failed, units=tuple(records), labels=tuple((key, own) for key, own, _ in labels))
    champion = ArmObservation(len(records), labels=tuple((key, other) for key, _, other in labels))
    return Observation(1.0, shadow, champion, pairs=Pairs(len(records) - failed - disagreed, disagreed))


def outcomes(random: np.random.Generator, size: int, both: float, own: float, other: float) -> NDArray[np.int64]:
    """Of labelled pairs, as bits OWN and OTHER: the probabilities that both, only the shadow, only the champion had the event."""
    return random.choice(4, size, p=[1 - both - own - other, own, other, both])


def losses(pairs: Sequence[tuple[int, float, float]], left_out: int = 0) -> Observation:
    """Labelled pairs of which nothing but the loss is known: (key, shadow's loss, champion's loss)."""
    return Observation(1.0, ArmObservation(), ArmObservation(), pairs=Pairs(losses=tuple(pairs), left_out=left_out))
