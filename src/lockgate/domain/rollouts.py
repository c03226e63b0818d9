"""A rollout: one journey of one version into one environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from lockgate.boundary.routes import LabelEvent, Thresholds
from lockgate.domain.verdicts import JudgeVerdict


class Strategy(StrEnum):
    REPLACE = "replace"
    CANARY = "canary"


class Phase(StrEnum):
    PREPARING = "preparing"  # packages load and warm up; no traffic yet
    PROGRESSING = "progressing"  # the canary has its share, the judge looks
    PAUSED = "paused"  # a person said wait
    HOLDING = "holding"  # the evidence is not enough: a person decides
    PROMOTED = "promoted"
    ABORTED = "aborted"


class Signal(StrEnum):
    READY = "ready"  # every live worker can answer with the version
    UNLOADABLE = "unloadable"  # a worker reported that it cannot
    SAFE = "safe"  # this step is proven, there is a further one
    PROVEN = "proven"  # the last step is proven; under `replace`: ready
    HARM = "harm"
    INCONCLUSIVE = "inconclusive"
    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Margin:
    """Non-inferiority: SAFE must refute `rate ≥ ratio × baseline's rate AND rate ≥ floor`."""

    ratio: float
    floor: float


@dataclass(frozen=True, slots=True)
class JudgePolicy:
    """What the judge looks at and how sure it must be. See docs/explanation/judge.md.

    alpha: chance of a false HARM over the whole rollout, however often one looks. beta: of a false SAFE, for each metric.
    metrics: some of errors, latency, labels.
    requests_per_unit: with a sticky unit, its outcome is whether it failed within this many of its first requests.
    min_units: units of both arms that a step must see before SAFE may be said. A ratio that changes over the day is proven for
        the hours seen only: let a step see a whole cycle of the traffic. With labels among the metrics, labelled units count.
    max_units: canary units (requests, where the unit is the request) after which a step without verdict is INCONCLUSIVE.
    """

    alpha: float = 0.01
    beta: float = 0.05
    metrics: tuple[str, ...] = ("errors", "latency")
    margins: dict[str, Margin] = field(
        default_factory=lambda: {
            "errors": Margin(1.5, 0.005),
            "latency": Margin(1.2, 0.005),
            "labels": Margin(1.2, 0.005),
        },
    )
    first_step_slack: float = 8 / 3  # margins are this much wider at the first step and shrink to 1 at the last (4 → 1.5)
    quantiles: tuple[float, ...] = (0.5, 0.95, 0.99)
    latency_warm_up: int = 500  # baseline requests before thresholds are set
    latency_tolerance: float = 0.25
    latency_allowance: float = 0.002  # seconds
    label_event: LabelEvent | None = None
    requests_per_unit: int = 20
    min_units: int = 0
    max_units: int = 100_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How a version comes into an environment. steps: weights of the canary, growing, each below 1; none under replace."""

    strategy: Strategy = Strategy.REPLACE
    steps: tuple[float, ...] = ()
    unit: str = "request"
    judge: JudgePolicy = field(default_factory=JudgePolicy)


@dataclass(frozen=True, slots=True)
class RampStep:
    """From route revision (epoch, n) on, new units met the canary with this probability."""

    epoch: int
    n: int
    weight: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a rollout ended, in figures. Exposure is what the canary answered."""

    verdict: JudgeVerdict | None
    metrics: tuple[str, ...] = ()  # those that decided
    detail: str = ""
    requests: int = 0  # all that the judge saw
    exposed_requests: int = 0
    exposed_units: int = 0
    crossed_at: datetime | None = None  # the deciding observation was made then or a little later
    enforced_at: datetime | None = None  # when the last worker had applied the last revision


@dataclass(frozen=True, slots=True)
class Rollout:
    id: str
    model: str
    environment: str
    version: int
    digest: str
    baseline: int | None  # the champion that it is compared with
    baseline_digest: str | None
    strategy: Strategy
    steps: tuple[float, ...]  # weights of the canary, growing, each below 1
    phase: Phase
    started_by: str
    started_at: datetime
    salt: str
    unit: str
    judge: JudgePolicy
    step: int = -1  # index into `steps`; −1 before the first
    ramp: tuple[RampStep, ...] = ()
    thresholds: Thresholds | None = None
    request: str | None = None  # the approved request that opened it
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    verdict: JudgeVerdict = JudgeVerdict.WAIT  # the judge's last word
    back: bool = False  # a roll-back: opened without a request
    extensions: int = 0  # how often a person granted a further `max_units` to a rollout that was held
    rows: int = 0  # of its journal
