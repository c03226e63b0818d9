"""Rollouts, their evidence, and what their promotion left behind, as the REST API answers and takes them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from lockgate.domain.holds import HoldEnd, HoldState
from lockgate.domain.rollouts import Phase, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.api.shapes.basics import Body, Comment, Name, Segment, Shape


class RampStep(Shape):
    """shares: of a contest's arms, in their order; none of other rollouts."""

    epoch: int
    n: int
    weight: float
    at: datetime
    shares: list[float]


class Margin(Shape):
    ratio: float
    floor: float


class Agreement(Shape):
    at_least: float
    threshold: float | None
    tolerance: float


class Loss(Shape):
    of: Literal["brier", "absolute"]
    scale: float
    margin: float


class Segments(Shape):
    by: str
    values: list[str]
    min_units: int


class Predictions(Shape):
    alpha: float
    ratio: float


class Judge(Shape):
    alpha: float
    beta: float
    metrics: list[str]
    margins: dict[str, Margin]
    quantiles: list[float]
    requests_per_unit: int
    min_units: int
    max_units: int
    agreement: Agreement | None
    loss: Loss | None
    objectives: dict[str, float]
    segments: Segments | None
    predictions: Predictions | None
    router_alpha: float
    alpha_per_year: float | None


class Outcome(Shape):
    verdict: JudgeVerdict | None
    metrics: list[str]
    detail: str
    requests: int
    exposed_requests: int
    exposed_units: int
    crossed_at: datetime | None
    enforced_at: datetime | None


class StepApproval(Shape):
    step: int
    by: str
    at: datetime
    comment: str


class Shown(Shape):
    """What green answered to those who asked for it in a preview; failures are by kind, and among the requests."""

    requests: int
    failures: dict[str, int]


class ContestFigures(Shape):
    """trials, events: outcomes that the goal rate is made of, and goal events among them. low, high: the rate's interval, which
    holds at all times and together with those of the other arms. best: the probability to be the best arm.
    """

    requests: int
    units: int
    trials: int
    events: int
    low: float
    high: float
    best: float
    dropped: bool


class ContestArm(Shape):
    """weight: its share of units while the contest is under way. gone: why it cannot be loaded, so that it left the contest."""

    version: int
    digest: str
    weight: float
    figures: ContestFigures
    gone: str


class Rollout(Shape):
    """steps: shares. yes: how many people must say yes to each of them; where it is shorter than steps, nobody to the others.

    share: of units that a shadow is asked about. preview: seconds; null where a person switches. contestants: the arms of a
    contest, the champion first; none of other rollouts. winner: the version that won it. unlabelled_since: since when labels by
    which it is judged are missing. segment: the part of the traffic that it is about; empty: all that has no champion of its own.
    falls_back: a segment's roll-back that leaves it to the general champion. differed: it was paused because it
    predicts otherwise than the champion. plan_alpha: the plan's, where the year's budget left `judge.alpha` less; else null.
    """

    id: str
    model: str
    environment: str
    version: int
    digest: str
    baseline: int | None
    baseline_digest: str | None
    strategy: Strategy
    steps: list[float]
    step: int
    phase: Phase
    verdict: JudgeVerdict
    started_by: str
    started_at: datetime
    ended_at: datetime | None
    unit: str
    request: str | None
    extensions: int
    judge: Judge
    ramp: list[RampStep]
    outcome: Outcome | None
    rows: int
    yes: list[int]
    approvals: list[StepApproval]
    share: float
    preview: float | None
    shown_at: datetime | None
    shown: Shown
    contestants: list[ContestArm]
    winner: int | None
    unlabelled_since: datetime | None
    segment: str
    falls_back: bool
    differed: bool
    plan_alpha: float | None


class Arm(Shape):
    """Counts since the rollout began. p50 and p99: seconds of the runtime's time, null before the first request."""

    version: int | None
    completed: int
    failed: int
    timed: int
    exceeded: list[int]
    labelled: int
    events: int
    p50: float | None
    p99: float | None


class Series(Shape):
    """Columns of equal length. at: Unix seconds. harm, safe: natural logarithms of e-values by metric, safe by
    the margins of the step under way, `all` the weighted sum of harm.

    bounds: where harm and safe are proven: ln(1/α), ln(1/β).
    """

    at: list[float]
    requests: list[int]
    weight: list[float]
    step: list[int]
    harm: dict[str, list[float | None]]
    safe: dict[str, list[float | None]]
    bounds: dict[Literal["harm", "safe"], float]
    rows: int


class Losses(Shape):
    """Mean losses over the first labelled pair of each of `units`. low, high: of the difference, the shadow's less the
    champion's, 95 % at all times at once. left_out: labelled pairs whose label has no loss.
    """

    units: int
    shadow: float
    champion: float
    low: float
    high: float
    left_out: int


class Pairs(Shape):
    """What a shadow, or a checkpoint of online learning, said beside the champion.

    differences: p50, p95, p99 of the scores' absolute difference, empty before a shadow's first pair. only_shadow, only_champion:
    labels by which exactly one of the two had the judged event. losses: null where no loss is judged.
    """

    agreed: int
    disagreed: int
    differences: list[float]
    only_shadow: int
    only_champion: int
    losses: Losses | None


class ArmFigures(Shape):
    """exceeded: for each quantile, of `timed`. happened: labels whose judged event came about, of `labelled`."""

    completed: int
    failed: int
    timed: int
    exceeded: list[int]
    labelled: int
    happened: int


class Hold(Shape):
    """What a promotion leaves behind: `baseline` keeps `weight` of the units until `until`, or until it ended for another reason.

    promoted, before: what both versions did meanwhile.
    """

    id: str
    version: int
    baseline: int
    weight: float
    since: datetime
    until: datetime
    state: HoldState
    end: HoldEnd | None
    ended_at: datetime | None
    detail: str
    promoted: ArmFigures
    before: ArmFigures


class Held(Shape):
    """evidence: of harm after the promotion, as natural logarithms; `harm`, their sum, is an alarm at `bound`."""

    hold: Hold
    says: str
    evidence: dict[str, float]
    bound: float


class RolloutInFull(Rollout):
    """pairs: null where the version is neither a shadow nor a checkpoint. held: null where the promotion left nothing behind."""

    arms: dict[Literal["canary", "baseline"], Arm]
    pairs: Pairs | None
    series: Series
    held: Held | None


class NewRollout(Body):
    model: Name
    version: int = Field(ge=1)
    environment: Literal["staging", "production"] = "production"
    strategy: Strategy | None = Field(None, description="Instead of the one that the project file names.")


class Reason(Body):
    reason: Comment = ""


class Yes(Body):
    """share: of the step that is meant, 0..1; a yes to it is none to another. Without it: whichever step is asked for."""

    comment: Comment = ""
    share: float | None = None


class RollBack(Reason):
    """`to` is needed only after a roll-back, so that a call made twice does not undo itself. segment: go back there only."""

    to: int | None = None
    segment: Segment = None
