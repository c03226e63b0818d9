"""What the judge saw, in the order in which it was consumed. The journal is the whole truth: state is a fold over it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime

from lockgate.domain.verdicts import JudgeVerdict


@dataclass(frozen=True, slots=True)
class ArmObservation:
    """What one arm did.

    exceeded: for each quantile of the policy, requests above the arm's threshold; empty while there are no thresholds.
    timed: how many of the completed were compared with thresholds.
    units: (key, bits) for each completed request when the unit is sticky, in order; bits as in boundary.observations.
    labels: (key, 1 if the judged event happened else 0) for each label that came. In a shadow's rollout both arms hold the same
        labels in the same order: what each of the two had scored was held against them.
    bins: answers by bin of the score; empty while there are none. scores: steps of boundary.scores → answers, until then.
    """

    completed: int = 0
    failed: int = 0
    timed: int = 0
    exceeded: tuple[int, ...] = ()
    latency: dict[int, int] = field(default_factory=dict)
    units: tuple[tuple[int, int], ...] = ()
    labels: tuple[tuple[int, int], ...] = ()
    bins: tuple[int, ...] = ()
    scores: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pairs:
    """A shadow's answers beside those that were given.

    deltas: boundary.histogram counts of the scores' absolute difference. losses: where the loss is judged, of each labelled pair
    the unit's key, the shadow's loss and the champion's, in the order in which they came. left_out: labelled pairs whose label
    has no loss.
    """

    agreed: int = 0
    disagreed: int = 0
    deltas: dict[int, int] = field(default_factory=dict)
    losses: tuple[tuple[int, float, float], ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """What both arms did while the canary's routing probability was `weight`.

    In a shadow's rollout: what the shadow did while it was asked about that share of the units, and what the champion did.
    segment: the declared segment of the traffic that all of it belongs to, "" for the rest. until: Unix seconds of the last
    request in it; 0 if nothing can be in flight, that is, if whatever was assigned is counted.
    others, weights: in a contest, what the further arms did, and by which weights all were met: the baseline's first, then the
    canary's, then those of `others`; `weight` is what the baseline did not get. gone: places of arms that left unproven.
    """

    weight: float
    canary: ArmObservation
    baseline: ArmObservation
    _: KW_ONLY
    segment: str = ""
    until: float = 0.0
    pairs: Pairs = field(default_factory=Pairs)
    others: tuple[ArmObservation, ...] = ()
    weights: tuple[float, ...] = ()
    gone: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One tick of one rollout: what was consumed, and what the judge said after it.

    evidence: natural logarithms of the e-values: `harm/NAME` (a metric, `objective.METRIC`, `segment.KEY=VALUE`), `harm` (the
    weighted sum), `safe/METRIC@STEP` (steps from 0), `router`, `predictions`. Of a contest, whose arms are numbered (the champion
    is 0): `beats/ARM/ARM`, `harm/ARM`, `router`.
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
