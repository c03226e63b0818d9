"""What the REST API answers and takes. The shapes are read off the domain's values by attribute and stay when those move."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lockgate.boundary.routes import OnFailure
from lockgate.domain.events import Event
from lockgate.domain.holds import HoldEnd, HoldState
from lockgate.domain.models import RequestState, Stage, Vote
from lockgate.domain.rollouts import Phase, Strategy
from lockgate.domain.runs import RunStatus, StepStatus
from lockgate.domain.verdicts import GateVerdict, JudgeVerdict

T = TypeVar("T")
Comment = Annotated[str, StringConstraints(max_length=65_535)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Shape(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Body(BaseModel):
    """What a caller sends: unknown fields are faults."""

    model_config = ConfigDict(extra="forbid")


class Page(Shape, Generic[T]):
    """`total` counts all that fit the question; `items` are those from `offset` on."""

    items: list[T]
    total: int
    offset: int
    limit: int


class Gate(Shape):
    gate: str
    rule: str
    verdict: GateVerdict
    detail: str
    measured: dict[str, Any]


class Model(Shape):
    name: str
    created_at: datetime
    latest_version: int
    aliases: dict[str, int] = {}


class Version(Shape):
    model: str
    version: int
    digest: str
    stage: Stage
    run: str
    author: str
    created_at: datetime
    dirty: bool
    metrics: dict[str, float]
    gates: list[Gate]
    evaluation: str | None
    reference: str | None


class VersionInFull(Version):
    """With the package's manifest; null where the package is not in the store."""

    manifest: dict[str, Any] | None


class Decision(Shape):
    by: str
    vote: Vote
    at: datetime
    comment: str


class Request(Shape):
    id: str
    model: str
    version: int
    digest: str
    to_stage: Stage
    requester: str
    created_at: datetime
    comment: str
    state: RequestState
    decisions: list[Decision]
    closed_at: datetime | None


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
    objectives: dict[str, float]
    segments: Segments | None
    predictions: Predictions | None
    router_alpha: float


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
    """weight: its share of units while the contest is under way."""

    version: int
    digest: str
    weight: float
    figures: ContestFigures


class Rollout(Shape):
    """steps: shares. yes: how many people must say yes to each of them; where it is shorter than steps, nobody to the others.

    share: of units that a shadow is asked about. preview: seconds; null where a person switches. contestants: the arms of a
    contest, the champion first; none of other rollouts. winner: the version that won it. differed: it was paused because it
    predicts otherwise than the champion.
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
    differed: bool


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


class Pairs(Shape):
    """A shadow's answers beside the champion's. differences: p50, p95, p99 of the scores' absolute difference, empty before the
    first pair. only_shadow, only_champion: labels by which exactly one of the two had the judged event.
    """

    agreed: int
    disagreed: int
    differences: list[float]
    only_shadow: int
    only_champion: int


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
    """pairs: null where the version is no shadow. held: null where the promotion left nothing behind."""

    arms: dict[Literal["canary", "baseline"], Arm]
    pairs: Pairs | None
    series: Series
    held: Held | None


class Step(Shape):
    name: str
    kind: str
    status: StepStatus
    fingerprint: str | None
    output: str | None
    started_at: datetime | None
    seconds: float | None
    log: str | None
    error: str | None


class Run(Shape):
    id: str
    model: str
    status: RunStatus
    created_at: datetime
    finished_at: datetime | None
    actor: str
    author: str
    cause: str
    commit: str | None
    dirty: bool
    params: dict[str, Any]
    data: dict[str, str]
    metrics: dict[str, float]
    gates: list[Gate]
    version: int | None
    error: str | None
    steps: list[Step]


class EventRow(Shape):
    seq: int
    action: str
    actor: str
    authenticated: bool
    at: datetime
    subject: str
    model: str
    version: int
    details: dict[str, Any]
    prev_hash: str
    hash: str


def event_row(event: Event) -> EventRow:
    happened = event.happened
    return EventRow(
        seq=event.seq,
        action=happened.action.value,
        actor=happened.actor,
        authenticated=happened.authenticated,
        at=happened.at,
        subject=happened.subject,
        model=happened.model,
        version=happened.version,
        details=happened.details,
        prev_hash=event.prev_hash,
        hash=event.hash,
    )


class Events(Shape):
    """`after` of the next question; null when this was the end."""

    items: list[EventRow]
    next_after: int | None


class PackageState(Shape):
    readiness: str
    reason: str


class Worker(Shape):
    """alive: the newest process in its place, and heard lately. seen_at: by the control plane's clock."""

    worker: str
    incarnation: str
    alive: bool
    seen_at: datetime
    revision: str
    applied_at: datetime
    packages: dict[str, PackageState]
    rss_bytes: int


class Finding(Shape):
    id: str
    model: str
    version: int
    kind: str
    at: datetime
    detail: str
    measured: dict[str, Any]


class Trigger(Shape):
    id: str
    model: str
    finding: str
    action: str
    decision: str
    reason: str
    at: datetime
    job: str | None


class TrafficRule(Shape):
    """Either `header` or `field` says what is looked at. to: a version's number, or the version in Staging."""

    header: str | None
    field: str | None
    values: list[str]
    to: int | Literal["staging"]


class LiveRule(Shape):
    """leads_to: null while the rule's version is not served, and the rule is left out."""

    rule: TrafficRule
    leads_to: int | None


class Answers(Shape):
    """timeout: seconds. redacted: inputs that no record keeps."""

    on_failure: OnFailure
    timeout: float
    redacted: list[str]


class Live(Shape):
    model: str
    version: int | None
    share: float
    since: datetime | None
    by: str | None
    staging: int | None
    rollout: str | None
    on_trial: int | None
    trial_share: float
    answers: Answers
    rules: list[LiveRule]
    shadows: list[int]
    held_back: int | None
    held_share: float
    held_until: datetime | None


class Status(Shape):
    """`inbox`: blocks of observations that wait for the controller."""

    at: datetime
    revision: str
    models: list[Live]
    workers: list[Worker]
    inbox: int


class NewRequest(Body):
    model: Name
    version: int = Field(ge=1)
    to_stage: Stage
    comment: Comment = ""


class Verdict(Body):
    comment: Comment = ""


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
    """`to` is needed only after a roll-back, so that a call made twice does not undo itself."""

    to: int | None = None


class NewComment(Body):
    text: Annotated[str, StringConstraints(min_length=1, max_length=65_535)]
