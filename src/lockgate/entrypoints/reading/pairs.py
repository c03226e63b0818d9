"""A shadow's answers beside those that were given, added up."""

from __future__ import annotations

from dataclasses import dataclass, field

from lockgate.boundary.histogram import merge, quantile
from lockgate.domain.evidence import Observation

DELTAS = (0.5, 0.95, 0.99)  # quantiles of the scores' difference that people see


@dataclass(slots=True)
class PairTotals:
    """deltas: see domain.evidence.Pairs. only_shadow, only_champion: labels by which exactly one of the two had the event."""

    agreed: int = 0
    disagreed: int = 0
    deltas: dict[int, int] = field(default_factory=dict)
    only_shadow: int = 0
    only_champion: int = 0

    @property
    def pairs(self) -> int:
        return self.agreed + self.disagreed

    def take(self, seen: Observation) -> None:
        """Only observations of a shadow's rollout: in those of a canary the arms' labels are not of the same requests."""
        self.agreed += seen.pairs.agreed
        self.disagreed += seen.pairs.disagreed
        merge(self.deltas, seen.pairs.deltas)
        for (_, own), (_, other) in zip(seen.canary.labels, seen.baseline.labels, strict=False):
            self.only_shadow += own > other
            self.only_champion += other > own

    def copy(self) -> PairTotals:
        return PairTotals(self.agreed, self.disagreed, dict(self.deltas), self.only_shadow, self.only_champion)

    def differences(self) -> tuple[float, ...]:
        """The quantiles `DELTAS`, at most 5 % above the truth; none before the first pair."""
        return tuple(quantile(self.deltas, level) for level in DELTAS) if self.deltas else ()
