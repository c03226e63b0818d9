"""What stays behind after a promotion: the version before keeps a share of the units for a while.

So labels that come days later still have a comparison, and harm that shows only then is found and sent home.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from lockgate.boundary.routes import Segmentation, Thresholds
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
    ROUTER_FAULT = "router-fault"  # units did not meet the two versions as their shares say


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
    rollout's, and then the hold's own steps: the share of units that met the promoted version, so that labels of predictions
    that were made under the rollout count by its weights. judge: the rollout's policy, with the metrics that are compared after
    the promotion. rows: of its journal. looks: how often there was something new in it.
    window: seconds after which units are drawn anew, under another salt; None: they keep their version for the whole hold. day:
    how many windows were over when the salt in force was drawn. full: whether objectives, segments and the router are looked at;
    not in a hold that began before that could be done. inside: by segment what the two versions were seen to do there.
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
    segment: str = ""  # never another one: this and the two below as in the rollout
    segmentation: Segmentation | None = None
    apart: tuple[str, ...] = ()
    window: float | None = None
    day: int = 0
    full: bool = False
    inside: dict[str, tuple[ArmFigures, ArmFigures]] = field(default_factory=dict)


Compared: TypeAlias = Rollout | Hold
"""One version on trial beside another: `version` and `baseline`, a `ramp`, and a `judge` that says what is compared."""


@dataclass(frozen=True, slots=True)
class Told:
    """New events, and what must be remembered so that they are not told twice.

    counts: by event (`errors`, `latency.p99`, `labels`) how many there were, and how many of them were the promoted version's.
    units: with a sticky unit, (key, bits that were new to it), as in boundary.observations. labels: keys whose judged event was
    new.
    """

    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    units: tuple[tuple[int, int], ...] = ()
    labels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcomes:
    """With a sticky unit: what units have shown of the promoted version, where a limit is set to that.

    trials: by metric, windows of first requests (or labels) that closed, and those with the event. requests, labels: (key, how
    many more, whether one had the event), of the units that are followed. closed: of `requests` and `labels`, those that
    follow no more units of the window.
    """

    trials: dict[str, tuple[int, int]] = field(default_factory=dict)
    requests: tuple[tuple[int, int, int], ...] = ()
    labels: tuple[tuple[int, int, int], ...] = ()
    closed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Events:
    """The new evidence under one weight of the promoted version, in one window of the hold and one segment of the traffic.

    counts, units, labels: as in `Told`; among what is in no segment or in any. inside: the same once more for the segment by
    itself: of a sticky unit the first event there. arrived: new units, and how many of them met the promoted version. until: Unix
    seconds of the last request, where units are new; 0 where none are. outcomes: where the policy has objectives.
    """

    weight: float
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    units: tuple[tuple[int, int], ...] = ()
    labels: tuple[int, ...] = ()
    _: KW_ONLY
    day: int = 0
    segment: str = ""
    inside: Told = field(default_factory=Told)
    arrived: tuple[int, int] = (0, 0)
    until: float = 0.0
    outcomes: Outcomes = field(default_factory=Outcomes)


@dataclass(frozen=True, slots=True)
class HoldRow:
    """What came within one minute of a hold, and what the guard said after it. The last row grows until its minute is over.

    evidence: natural logarithms of the detectors' values, `harm/NAME` (a metric, `objective.METRIC`, `segment.KEY=VALUE`), and
    `harm`, the weighted sum; they begin at 0. `router`: of the e-value against "units meet the versions by their shares".
    """

    hold: str
    seq: int
    at: datetime
    events: tuple[Events, ...]
    verdict: JudgeVerdict
    evidence: dict[str, float] = field(default_factory=dict)
    observed_until: float = 0.0  # Unix seconds of the last observation in it
