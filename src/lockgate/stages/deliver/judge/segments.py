"""What is kept of each declared segment of the traffic, so that harm to a few is not lost among the many."""

from __future__ import annotations

from dataclasses import dataclass, field

from lockgate.domain.rollouts import JudgePolicy
from lockgate.stages.deliver.judge.ledger import Ledger
from lockgate.stages.deliver.judge.tally import Tally

JUDGED = ("errors", "labels")


@dataclass(frozen=True, slots=True)
class Segment:
    """units: of both arms, each once. tallies: by metric."""

    units: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)


@dataclass(slots=True)
class SegmentLedgers:
    """Where the unit is sticky, a segment counts a unit's first event among its requests in that segment."""

    units: Ledger
    labels: Ledger


def segment_metrics(policy: JudgePolicy) -> tuple[str, ...]:
    return tuple(metric for metric in policy.metrics if metric in JUDGED)
