"""What follows from a policy, worked out once: a judge looks many times a second, and none of this changes."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.boundary.observations import FAILED
from lockgate.domain.rollouts import JudgePolicy
from lockgate.stages.deliver.judge.margins import floors, harm_shares, proven_quantiles, ratios


@dataclass(frozen=True, slots=True)
class Family:
    """Events that are counted together: they have a ledger in common, and their bits in an outcome stand side by side."""

    metric: str
    events: tuple[str, ...]
    shift: int = 0

    @property
    def mask(self) -> int:
        return (1 << len(self.events)) - 1


@dataclass(frozen=True, slots=True)
class Gate:
    """What SAFE must prove of one event. ratios, floors: its margins at each step."""

    metric: str
    event: str
    ratios: tuple[float, ...]
    floors: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """shares: as of `harm_shares`. gates: of all metrics; those of latency are for the quantiles that SAFE looks at."""

    families: tuple[Family, ...]
    shares: dict[str, float]
    gates: tuple[Gate, ...]


def rules(policy: JudgePolicy, steps: int, *, sticky: bool) -> Rules:
    each = families(policy)
    gates = (_gate(policy, family, event, steps) for family in each for event in _proven(policy, family, sticky=sticky))
    return Rules(each, harm_shares(policy), tuple(gates))


def families(policy: JudgePolicy) -> tuple[Family, ...]:
    exceedances = tuple(f"latency.p{100 * q:g}" for q in policy.quantiles)
    known = {
        "errors": Family("errors", ("errors",)),
        "latency": Family("latency", exceedances, FAILED.bit_length()),
        "labels": Family("labels", ("labels",)),
    }
    return tuple(known[metric] for metric in policy.metrics)


def _proven(policy: JudgePolicy, family: Family, *, sticky: bool) -> tuple[str, ...]:
    if family.metric != "latency":
        return family.events
    return tuple(family.events[i] for i in proven_quantiles(policy, sticky=sticky))


def _gate(policy: JudgePolicy, family: Family, event: str, steps: int) -> Gate:
    margins = ratios(policy, family.metric, steps), floors(policy, family.metric, steps)
    return Gate(family.metric, event, *(tuple(each.tolist()) for each in margins))
