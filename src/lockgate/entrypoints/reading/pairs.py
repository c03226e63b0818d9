"""A shadow's answers beside those that were given, added up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lockgate.boundary.histogram import merge, quantile
from lockgate.domain.evidence import Observation
from lockgate.stages.deliver.judge.report import LossFigures
from lockgate.stages.deliver.shadow.ledger import LossLedger
from lockgate.stages.deliver.shadow.losses import MeanLosses

DELTAS = (0.5, 0.95, 0.99)  # quantiles of the scores' difference that people see


@dataclass(slots=True)
class PairTotals:
    """deltas: see domain.evidence.Pairs. only_shadow, only_champion: labels by which exactly one of the two had the event.

    losses: of each unit's first pair, as the judge counts; units: which were seen, kept by the totals that go on.
    """

    agreed: int = 0
    disagreed: int = 0
    deltas: dict[int, int] = field(default_factory=dict)
    only_shadow: int = 0
    only_champion: int = 0
    losses: MeanLosses = field(default_factory=MeanLosses)
    left_out: int = 0
    units: LossLedger = field(default_factory=lambda: LossLedger(1))

    @property
    def pairs(self) -> int:
        return self.agreed + self.disagreed

    def take(self, seen: Observation) -> None:
        """Only observations of a shadow's rollout: in those of a canary the arms' labels are not of the same requests."""
        self.agreed += seen.pairs.agreed
        self.disagreed += seen.pairs.disagreed
        merge(self.deltas, seen.pairs.deltas)
        first, _ = self.units.take(seen.pairs.losses)
        self.losses = self.losses.plus(first)
        self.left_out += seen.pairs.left_out
        for (_, own), (_, other) in zip(seen.canary.labels, seen.baseline.labels, strict=False):
            self.only_shadow += own > other
            self.only_champion += other > own

    def copy(self) -> PairTotals:
        """For people to look at; it cannot go on."""
        return replace(self, deltas=dict(self.deltas), units=LossLedger(1))

    def figures(self) -> LossFigures:
        return self.losses.figures(self.left_out)

    def differences(self) -> tuple[float, ...]:
        """The quantiles `DELTAS`, at most 5 % above the truth; none before the first pair."""
        return tuple(quantile(self.deltas, level) for level in DELTAS) if self.deltas else ()
