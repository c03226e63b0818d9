"""What stays behind after a promotion: the version before keeps a share of the units for a while.

So labels that come days later still have a comparison, and harm that shows only then is found and sent home.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from lockgate.boundary.routes import Thresholds
from lockgate.domain.rollouts import JudgePolicy, RampStep, Rollout
from lockgate.domain.verdicts import JudgeVerdict


class HoldState(StrEnum):
    HELD = "held"
    ENDED = "ended"


class HoldEnd(StrEnum):
    PASSED = "passed"  # its time is over
    HARM = "harm"  # the promoted version does harm: it is rolled back
    SUPERSEDED = "superseded"  # the next rollout into Production began
    ROLLED_BACK = "rolled-back"  # by a person
    RELEASED = "released"  # a person gave the share to the promoted version too
    LOST = "lost"  # a worker cannot answer with the held-back version any more
    LEFT = "left"  # the promoted version left Production by another way
    UNJUDGED = "unjudged"  # what was observed cannot be compared


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """What one version was seen to do: for people; the guard counts events only (see HoldRow).

    exceeded: for each quantile, requests above the arm's threshold, of `timed`. happened: labels whose judged event came about,
    of `labelled`.
    """

    completed: int = 0
    failed: int = 0
    timed: int = 0
    exceeded: tuple[int, ...] = ()
    labelled: int = 0
    happened: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """The version before, held back from `since` until `until` or an earlier end.

    version: the promoted one; it stays on trial, with a weight of 1 − `weight`. baseline: the one that is held back. ramp: the
    rollout's, and the hold's own step as its last: the share of units that met the promoted version, so that labels of
    predictions that were made under the rollout count by its weights. judge: the rollout's policy, with the metrics that are
    compared after the promotion. rows: of its journal. looks: how often there was something new in it.
    """

    id: str
    rollout: str
    model: str
    version: int
    digest: str
    baseline: int
    baseline_digest: str
    weight: float
    salt: str
    unit: str
    judge: JudgePolicy
    ramp: tuple[RampStep, ...]
    since: datetime
    until: datetime
    thresholds: Thresholds | None = None
    state: HoldState = HoldState.HELD
    rows: int = 0
    looks: int = 0
    promoted: ArmFigures = field(default_factory=ArmFigures)
    before: ArmFigures = field(default_factory=ArmFigures)
    missing_since: datetime | None = None  # a worker has not been able to answer with the held-back version since then
    ended_at: datetime | None = None
    end: HoldEnd | None = None
    detail: str = ""


Compared: TypeAlias = Rollout | Hold
"""One version on trial beside another: `version` and `baseline`, a `ramp`, and a `judge` that says what is compared."""


@dataclass(frozen=True, slots=True)
class Events:
    """The new evidence under one weight of the promoted version.

    counts: by event (`errors`, `latency.p99`, `labels`) how many there were, and how many of them were the promoted version's.
    units: with a sticky unit, (key, bits that were new to it), as in boundary.observations. labels: keys whose judged event was
    new.
    """

    weight: float
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    units: tuple[tuple[int, int], ...] = ()
    labels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HoldRow:
    """What came within one minute of a hold, and what the guard said after it. The last row grows until its minute is over.

    evidence: natural logarithms of the detectors' values, by metric `harm/METRIC`, and `harm`, the weighted sum. They begin at 0.
    """

    hold: str
    seq: int
    at: datetime
    events: tuple[Events, ...]
    verdict: JudgeVerdict
    evidence: dict[str, float] = field(default_factory=dict)
    observed_until: float = 0.0  # Unix seconds of the last observation in it
