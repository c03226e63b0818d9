"""A rollout: one journey of one version into one environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import isfinite, isnan

from lockgate.boundary.routes import Bins, LabelEvent, Segmentation, Thresholds
from lockgate.domain.contests import Contest, ContestArm
from lockgate.domain.learning import Online
from lockgate.domain.verdicts import JudgeVerdict


class Strategy(StrEnum):
    REPLACE = "replace"
    SHADOW = "shadow"  # it is asked what the champion is asked, and nobody gets its answers
    CANARY = "canary"
    AB = "ab-test"  # several versions answer by a fixed split, until one is proven to reach the goal best
    BANDIT = "bandit"  # the same, and the split follows what they have shown
    ONLINE = "online"  # what people bring in replaces, and goes on learning; its checkpoints are judged before they come in
    BLUE_GREEN = "blue-green"  # it stands ready beside the champion, for those who ask for it, until all are switched at once


class Phase(StrEnum):
    PREPARING = "preparing"  # packages load and warm up; no traffic yet
    PREVIEW = "preview"  # blue-green: it answers those who ask for it, until somebody switches
    PROGRESSING = "progressing"  # the canary has its share, or the shadow is asked; the judge looks
    AWAITING = "awaiting"  # the step is proven, and the next one needs people's yes
    PAUSED = "paused"  # a person said wait
    HOLDING = "holding"  # the evidence is not enough, or the router is at fault: a person decides
    PROMOTED = "promoted"
    ABORTED = "aborted"


class Signal(StrEnum):
    READY = "ready"  # every live worker can answer with the version
    SHOWN = "shown"  # the same, under blue-green
    UNLOADABLE = "unloadable"  # a worker reported that it cannot
    SAFE = "safe"  # this step is proven, there is a further one
    PROVEN = "proven"  # the last step is proven; under `replace`: ready; under blue-green: the preview's time is over
    ASK = "ask"  # this step is proven, and the further one needs people's yes
    APPROVED = "approved"
    HARM = "harm"
    INCONCLUSIVE = "inconclusive"
    ROUTER_FAULT = "router-fault"
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
class Agreement:
    """When a shadow says the same as the champion. SAFE must prove that more than `at_least` of the pairs agree; it is below 1.

    Two scores agree when both are on the same side of `threshold`; without one, when they differ by at most `tolerance`.
    """

    at_least: float
    threshold: float | None = None
    tolerance: float = 1e-6


@dataclass(frozen=True, slots=True)
class Loss:
    """How far a score is from its label, from 0 to 1: a shadow is held against the champion by the mean of it.

    of: `brier`, the squared difference of a label that is 0 or 1 and a score, which is cut to [0, 1]; `absolute`, the absolute
    difference of two numbers / `scale`, cut at 1. margin: SAFE must refute "the mean is higher by at least so much".
    """

    of: str = "brier"
    scale: float = 1.0
    margin: float = 0.01

    @property
    def words(self) -> str:
        """For people: `brier loss`, `absolute loss / 60`."""
        return "brier loss" if self.of == "brier" else f"absolute loss / {self.scale:g}"

    def takes(self, label: float) -> bool:
        """Whether there is a loss for this label at all, whatever was scored."""
        return label in (0.0, 1.0) if self.of == "brier" else isfinite(label)

    def at(self, score: float, label: float) -> float:
        """To six decimals. A score that is no number is as wrong as can be: left out, it would be no harm."""
        if isnan(score):
            return 1.0
        off = (min(max(score, 0.0), 1.0) - label) ** 2 if self.of == "brier" else abs(score - label) / self.scale
        return round(min(off, 1.0), 6)


@dataclass(frozen=True, slots=True)
class Segments:
    """Parts of the traffic that harm is looked for in each by itself.

    by: what tells a request's part, `field:NAME` or `header:NAME`. values: those that make a segment; all others make none.
    min_units: of both arms, each once, that a segment must have had before it is named as the one that is harmed.
    """

    by: str
    values: tuple[str, ...]
    min_units: int = 500


@dataclass(frozen=True, slots=True)
class Predictions:
    """When a canary that predicts otherwise than the baseline pauses its rollout, so that a person may look.

    alpha: chance of a pause without reason. ratio: by which factor the share of requests in a tenth of the scores may differ.
    """

    alpha: float = 0.01
    ratio: float = 1.25


@dataclass(frozen=True, slots=True)
class JudgePolicy:
    """What the judge looks at and how sure it must be. See docs/explanation/judge.md.

    alpha: chance of a false HARM over the whole rollout, however often one looks. beta: of a false SAFE, for each metric.
    alpha_per_year: what all rollouts of a model that begin within 365 days may have of alpha together; None: each has it all.
    metrics: some of errors, latency, labels for a canary; of agreement, errors, labels, loss for a shadow; of labels, loss for
        a checkpoint.
    requests_per_unit: with a sticky unit, its outcome is whether it failed within this many of its first requests.
    min_units: units of both arms that a step must see before SAFE may be said. A ratio that changes over the day is proven for
        the hours seen only: let a step see a whole cycle of the traffic. With labels among the metrics, labelled units count.
    max_units: canary units (requests, where the unit is the request) after which a step without verdict is INCONCLUSIVE; for a
        shadow, units with a pair, or with a labelled pair where labels or their loss are judged.
    agreement: of a shadow. loss: of a shadow or a checkpoint.
    objectives: by metric (errors, labels), the rate that the canary may have at most, whatever the baseline does.
    predictions: None: that the canary predicts otherwise is no reason to pause.
    router_alpha: chance of a false ROUTER_FAULT. settled: seconds after which whatever was assigned has been counted, so more
        than an answer may take.
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
    agreement: Agreement | None = None
    objectives: dict[str, float] = field(default_factory=dict)
    segments: Segments | None = None
    predictions: Predictions | None = None
    router_alpha: float = 0.001
    settled: float = 15.0
    loss: Loss | None = None
    alpha_per_year: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a version comes into an environment.

    steps: weights of the canary, growing, each below 1; none under other strategies. yes: for each step, how many people must
    say yes before it begins, beside the proof of the one before; shorter than `steps`: none for the others. share: of the units
    that a shadow is asked about. preview: seconds after which blue-green switches by itself; None: when a person says so.
    hold_back: share of units that the version before keeps after the promotion, so that late labels have a comparison, for
    `held` seconds. contest: of ab-test and bandit. online: of online learning.
    """

    strategy: Strategy = Strategy.REPLACE
    steps: tuple[float, ...] = ()
    unit: str = "request"
    judge: JudgePolicy = field(default_factory=JudgePolicy)
    yes: tuple[int, ...] = ()
    share: float = 1.0
    preview: float | None = None
    hold_back: float = 0.0
    held: float = 7 * 86400.0
    contest: Contest | None = None
    online: Online | None = None


@dataclass(frozen=True, slots=True)
class StepApproval:
    """One person's yes to a rollout's next step, which is `step`."""

    step: int
    by: str
    at: datetime
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a version answered to those who asked for it, in a preview or in Staging: for people to see, and no evidence, because
    they chose it.

    failures: kind → count, and all of them are among the requests.
    """

    requests: int = 0
    failures: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RampStep:
    """From route revision (epoch, n) on, new units met the canary with this probability, or a shadow was asked about them.

    shares: of a contest's arms, the champion's first; `weight` is what the champion did not get.
    """

    epoch: int
    n: int
    weight: float
    at: datetime
    shares: tuple[float, ...] = ()


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
    yes: tuple[int, ...] = ()  # the rest as in Plan
    share: float = 1.0
    preview: float | None = None
    hold_back: float = 0.0
    held: float = 0.0
    approvals: tuple[StepApproval, ...] = ()
    shown_at: datetime | None = None  # when the preview began
    shown: Shown = field(default_factory=Shown)
    missing_since: datetime | None = None  # in Staging, its time over: a worker cannot load it, and not all have since
    bins: Bins | None = None  # of the scores, where predictions are compared
    contest: Contest | None = None
    contestants: tuple[ContestArm, ...] = ()  # of the contest: the champion's, the version's, the contenders'
    reweighed_at: datetime | None = None  # when a bandit changed its shares
    winner: int | None = None  # the contest's, which is promoted in place of `version`
    segment: str = ""  # the part of the traffic that it is about; "": all that has no champion of its own
    segmentation: Segmentation | None = None  # how segments that may have champions are told apart while it is under way
    apart: tuple[str, ...] = ()  # segments that had champions of their own when it began: what is seen there is no evidence
    own: bool = False  # of a segment's: the baseline is the segment's own champion, not the general one
    falls_back: bool = False  # a segment's roll-back that leaves it to the general champion
    labelled_at: datetime | None = None  # when its judge was last told of a label
    unlabelled_since: datetime | None = None  # labels should have come since then, and none did
    differed: bool = False  # it was paused because its predictions differ: who resumes it has seen that
    plan_alpha: float | None = None  # the plan's, where the year's budget left the judge a smaller one
