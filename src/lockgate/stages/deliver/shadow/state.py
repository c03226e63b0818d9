"""What the judge of a shadow remembers. The same observations under the same policy give the same state, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, field

from lockgate.domain.rollouts import JudgePolicy
from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.stages.deliver.shadow.ledger import Ledger, LossLedger
from lockgate.stages.deliver.shadow.losses import LossTally
from lockgate.stages.deliver.shadow.tally import Tally

SHARES = {"agreement": 0.25, "errors": 0.25, "labels": 0.5, "loss": 0.5}
"""Of alpha, shared out among the metrics in use. Labels are few and late; of the first two every pair is evidence."""
EVENTS = ("agreement", "errors", "labels")  # metrics that are counted; a loss is a number
LOSSES = ("brier", "absolute")


@dataclass(slots=True)
class Ledgers:
    """The only mutable part, so that a tick need not copy what it does not touch. `folded` counts the observations in it."""

    agreement: Ledger
    errors: Ledger
    labels: Ledger
    losses: LossLedger
    folded: int = 0


@dataclass(frozen=True, slots=True)
class ShadowState:
    """Frozen but for its ledgers, which every state of one fold shares: a state can be folded on once (see shadow.fold).

    requests: those that the shadow was asked. pairs: those of them that it answered. labels: those that came for pairs.
    """

    policy: JudgePolicy
    sticky: bool
    ledgers: Ledgers
    folded: int = 0
    requests: int = 0
    pairs: int = 0
    labels: int = 0
    tallies: dict[str, Tally] = field(default_factory=lambda: {metric: Tally() for metric in EVENTS})  # by metric
    loss: LossTally = field(default_factory=LossTally)

    @property
    def horizon(self) -> int:
        """How many of a unit's outcomes count."""
        return self.policy.requests_per_unit if self.sticky else 1


def begin(policy: JudgePolicy, *, sticky: bool = False) -> ShadowState:
    """The judge before the first observation.

    sticky: the unit is a user or the like, who returns; then each observation carries its units (see shadow.ledger).

    Raises:
        InvalidInput: the policy makes no test; all faults at once.
    """
    faults = [*_metric_faults(policy), *_number_faults(policy)]
    if faults:
        raise InvalidInput("the judge's policy", faults)
    horizon = policy.requests_per_unit if sticky else 1
    return ShadowState(policy, sticky, Ledgers(Ledger(horizon), Ledger(horizon), Ledger(horizon), LossLedger(horizon)))


def _metric_faults(policy: JudgePolicy) -> list[Fault]:
    faults = [
        Fault("metrics", f"found {metric!r}, expected some of {', '.join(SHARES)}")
        for metric in policy.metrics
        if metric not in SHARES
    ]
    if not policy.metrics or len(set(policy.metrics)) < len(policy.metrics):
        faults.append(Fault("metrics", f"found {list(policy.metrics)}, expected at least one, each once"))
    if "agreement" in policy.metrics and policy.agreement is None:
        faults.append(Fault("agreement", "missing: metrics name it"))
    if "labels" in policy.metrics and policy.label_event is None:
        faults.append(Fault("label_event", "missing: metrics name labels"))
    if "loss" in policy.metrics and policy.loss is None:
        faults.append(Fault("loss", "missing: metrics name it"))
    for metric in ("errors", "labels"):
        margin = policy.margins.get(metric)
        if metric in policy.metrics and not (margin and margin.ratio >= 1 and 0 < margin.floor < 1):
            faults.append(Fault(f"margins.{metric}", f"found {margin}, expected ratio ≥ 1, 0 < floor < 1"))
    return faults


def _number_faults(policy: JudgePolicy) -> list[Fault]:
    agreement, loss = policy.agreement, policy.loss
    usable = loss is None or (loss.of in LOSSES and loss.scale > 0 and 0 < loss.margin < 1)
    rules = {
        "alpha": (0 < policy.alpha < 1, policy.alpha, "between 0 and 1"),
        "beta": (0 < policy.beta < 1, policy.beta, "between 0 and 1"),
        "requests_per_unit": (policy.requests_per_unit >= 1, policy.requests_per_unit, "at least 1"),
        "max_units": (policy.max_units >= 1, policy.max_units, "at least 1"),
        "agreement": (agreement is None or 0 < agreement.at_least < 1, agreement, "at_least between 0 and 1"),
        "loss": (usable, loss, f"one of {', '.join(LOSSES)}, scale > 0, 0 < margin < 1"),
    }
    return [Fault(name, f"found {found}, expected {expected}") for name, (holds, found, expected) in rules.items() if not holds]
