"""What is live, as the REST API answers it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from lockgate.boundary.routes import OnFailure
from lockgate.domain.rollouts import Phase, Strategy
from lockgate.entrypoints.api.shapes.basics import Shape


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


class Staged(Shape):
    """What stands in Staging. possible_at: from when on it may be asked into Production; null: it need not stand there first.

    requests, failures: of those who asked for it there; says: the same in words.
    """

    version: int
    since: datetime
    possible_at: datetime | None
    requests: int
    failures: int
    says: str


class SegmentTrial(Shape):
    """share: of the segment's units that the version answers or, as a shadow, is asked about."""

    rollout: str
    version: int
    strategy: Strategy
    phase: Phase
    share: float


class LiveSegment(Shape):
    """champion: its own, null while the general one answers. in_force: false where that does not answer, because the project file
    names the segment no more or tells segments by another header or field than when it came in; withheld says which.
    """

    segment: str
    champion: int | None
    since: datetime | None
    by: str | None
    in_force: bool
    withheld: str
    trials: list[SegmentTrial]


class Live(Shape):
    """segments: parts of the traffic that may have champions of their own; all else is about the rest."""

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
    staged: Staged | None
    previewed: bool
    checkpoint: bool
    missing_labels: list[str]
    segments: list[LiveSegment]


class Status(Shape):
    """`inbox`: blocks of observations that wait for the controller."""

    at: datetime
    revision: str
    models: list[Live]
    workers: list[Worker]
    inbox: int
