"""What the judge saw, in the order in which it was consumed. The journal is the whole truth: state is a fold over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from lockgate.domain.verdicts import JudgeVerdict


@dataclass(frozen=True, slots=True)
class ArmObservation:
    """What one arm did.

    exceeded: for each quantile of the policy, requests above the arm's threshold; empty while there are no thresholds.
    timed: how many of the completed were compared with thresholds.
    units: (key, bits) for each completed request when the unit is sticky, in order; bits as in boundary.observations.
    labels: (key, 1 if the judged event happened else 0) for each label that came.
    """

    completed: int = 0
    failed: int = 0
    timed: int = 0
    exceeded: tuple[int, ...] = ()
    latency: dict[int, int] = field(default_factory=dict)
    units: tuple[tuple[int, int], ...] = ()
    labels: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What both arms did while the canary's routing probability was `weight`."""

    weight: float
    canary: ArmObservation
    baseline: ArmObservation


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One tick of one rollout: what was consumed, and what the judge said after it.

    evidence: by metric, natural logarithms of the e-values: `harm/METRIC`, `harm` (the weighted
    sum), `safe/METRIC@STEP` (steps from 0).
    """

    rollout: str
    seq: int
    at: datetime
    step: int
    observations: tuple[Observation, ...]
    verdict: JudgeVerdict
    evidence: dict[str, float] = field(default_factory=dict)
    extensions: int = 0  # of the rollout, when the judge looked
    observed_until: float = 0.0  # Unix seconds of the last observation in it
