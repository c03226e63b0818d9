"""What the judge remembers. Replaying the same observations under the same policy gives the same state, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from lockgate.boundary.routes import Segmentation
from lockgate.domain.rollouts import JudgePolicy
from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.stages.deliver.judge.ledger import Ledger
from lockgate.stages.deliver.judge.margins import SHARES, proven_quantiles
from lockgate.stages.deliver.judge.predictions import Shares
from lockgate.stages.deliver.judge.router import Arrivals
from lockgate.stages.deliver.judge.rules import Rules, rules
from lockgate.stages.deliver.judge.segments import JUDGED, Segment, SegmentLedgers, segment_metrics
from lockgate.stages.deliver.judge.tally import Tally
from lockgate.stages.deliver.judge.visits import Visits


@dataclass(frozen=True, slots=True)
class Seen:
    """What came under one weight: units of both arms, the canary's, its requests, and units with a label.

    A unit that returns under a larger weight is seen there anew. Where the unit is the request, units are requests.
    """

    units: int = 0
    canary_units: int = 0
    canary_requests: int = 0
    labelled: int = 0


@dataclass(slots=True)
class Ledgers:
    """The only mutable part, so that a tick need not copy what it does not touch. `folded` counts the observations in it."""

    units: Visits
    labels: Ledger
    segments: dict[str, SegmentLedgers] = field(default_factory=dict)  # by value
    folded: int = 0


@dataclass(frozen=True, slots=True)
class JudgeState:
    """Frozen but for its ledgers, which every state of one fold shares: a state can be folded on once (see judge.fold)."""

    policy: JudgePolicy
    steps: tuple[float, ...]
    sticky: bool
    rules: Rules
    ledgers: Ledgers
    folded: int = 0
    requests: int = 0
    exposed_requests: int = 0
    exposed_units: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)  # by event
    segments: dict[str, Segment] = field(default_factory=dict)  # by value
    arrivals: Arrivals = field(default_factory=Arrivals)
    predictions: Shares = field(default_factory=Shares)
    seen: dict[float, Seen] = field(default_factory=dict)  # by weight
    warm_up: dict[int, int] = field(default_factory=dict)  # the baseline's latencies, until there are enough; then kept


def begin(policy: JudgePolicy, steps: tuple[float, ...], *, sticky: bool = False) -> JudgeState:
    """The judge before the first observation.

    steps: the canary's weights, growing, between 0 and 1. sticky: the unit is a user or the like, who returns and keeps its
    arm; then each observation carries its units, and each unit is one event (see judge.ledger).

    Raises:
        InvalidInput: the policy or the steps make no test; all faults at once.
    """
    faults = [*_metric_faults(policy), *_objective_faults(policy), *_segment_faults(policy), *_number_faults(policy)]
    faults += [*_prediction_faults(policy, sticky=sticky), *_step_faults(steps)]
    if not faults and "latency" in policy.metrics and not proven_quantiles(policy, sticky=sticky):
        faults.append(
            Fault("quantiles", "for none of them is ratio × the baseline's rate of exceedances a rate; name a higher one")
        )
    if faults:
        raise InvalidInput("the judge's policy", faults)
    following = rules(policy, len(steps), sticky=sticky)
    events = (event for family in following.families for event in family.events)
    return JudgeState(
        policy,
        tuple(steps),
        sticky,
        following,
        _ledgers(policy, policy.requests_per_unit if sticky else 1),
        tallies={event: Tally() for event in events},
        segments={value: _segment(policy) for value in _values(policy)},
    )


def _ledgers(policy: JudgePolicy, horizon: int) -> Ledgers:
    segments = {value: SegmentLedgers(Ledger(horizon), Ledger(horizon)) for value in _values(policy)}
    return Ledgers(Visits(horizon), Ledger(horizon), segments)


def _segment(policy: JudgePolicy) -> Segment:
    return Segment(tallies={metric: Tally() for metric in segment_metrics(policy)})


def _values(policy: JudgePolicy) -> tuple[str, ...]:
    return policy.segments.values if policy.segments else ()


def _metric_faults(policy: JudgePolicy) -> list[Fault]:
    unknown = [metric for metric in policy.metrics if metric not in SHARES]
    faults = [Fault("metrics", f"found {metric!r}, expected some of {', '.join(SHARES)}") for metric in unknown]
    if not policy.metrics or len(set(policy.metrics)) < len(policy.metrics):
        faults.append(Fault("metrics", f"found {list(policy.metrics)}, expected at least one, each once"))
    for metric in policy.metrics:
        margin = policy.margins.get(metric)
        if margin is None and metric not in unknown:
            faults.append(Fault(f"margins.{metric}", "missing: SAFE needs a ratio and a floor"))
        elif margin is not None and not (margin.ratio >= 1 and 0 < margin.floor * policy.first_step_slack < 1):
            faults.append(Fault(f"margins.{metric}", f"found {margin}, expected ratio ≥ 1, 0 < floor × first_step_slack < 1"))
    return faults


def _objective_faults(policy: JudgePolicy) -> list[Fault]:
    rates = [metric for metric in policy.metrics if metric in JUDGED]
    unknown = [metric for metric in policy.objectives if metric not in rates]
    faults = [Fault(f"objectives.{one}", f"found {one!r}, expected one of the metrics: {', '.join(rates)}") for one in unknown]
    wrong = {metric: limit for metric, limit in policy.objectives.items() if not 0 < limit < 1}
    return faults + [Fault(f"objectives.{one}", f"found {limit}, expected between 0 and 1") for one, limit in wrong.items()]


def _segment_faults(policy: JudgePolicy) -> list[Fault]:
    segments = policy.segments
    if segments is None:
        return []
    faults = []
    try:
        Segmentation(segments.by, segments.values)
    except ValueError as error:
        faults.append(Fault("segments", str(error)))
    if not segment_metrics(policy):
        faults.append(Fault("segments", f"metrics {', '.join(policy.metrics)} found, {' or '.join(JUDGED)} among them expected"))
    return faults


def _prediction_faults(policy: JudgePolicy, *, sticky: bool) -> list[Fault]:
    predictions = policy.predictions
    if predictions is None:
        return []
    faults = []
    if not 0 < predictions.alpha < 1:
        faults.append(Fault("predictions.alpha", f"found {predictions.alpha}, expected between 0 and 1"))
    if predictions.ratio < 1:
        faults.append(Fault("predictions.ratio", f"found {predictions.ratio}, expected at least 1"))
    if sticky:
        faults.append(Fault("predictions", "answers are binned one by one: expected of rollouts whose unit is the request only"))
    return faults


def _number_faults(policy: JudgePolicy) -> list[Fault]:
    rules = {
        "alpha": (0 < policy.alpha < 1, "between 0 and 1"),
        "beta": (0 < policy.beta < 1, "between 0 and 1"),
        "first_step_slack": (policy.first_step_slack >= 1, "at least 1"),
        "requests_per_unit": (policy.requests_per_unit >= 1, "at least 1"),
        "max_units": (policy.max_units >= 1, "at least 1"),
        "latency_warm_up": (policy.latency_warm_up >= 1, "at least 1"),
        "router_alpha": (0 < policy.router_alpha < 1, "between 0 and 1"),
        "settled": (policy.settled > 0, "above 0"),
        "quantiles": (all(0 < q < 1 for q in policy.quantiles), "between 0 and 1"),
    }
    return [Fault(name, f"found {getattr(policy, name)}, expected {rule}") for name, (holds, rule) in rules.items() if not holds]


def _step_faults(steps: tuple[float, ...]) -> list[Fault]:
    edges = (0.0, *steps, 1.0)
    if steps and all(low < high for low, high in pairwise(edges)):
        return []
    return [Fault("steps", f"found {list(steps)}, expected one or more growing weights between 0 and 1")]
