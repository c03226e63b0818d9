"""What one version did under one revision since the last block: plain counters, because every request passes here."""

from __future__ import annotations

from lockgate.boundary.histogram import bucket
from lockgate.boundary.observations import FAILED, Cell, UnitOutcome
from lockgate.boundary.routes import Revision


class Tally:
    """Counts for one (model, version, revision).

    judged: whether they become evidence. Requests that were not assigned by the table (asked for by version, without their
        unit, answered in place of another version) are counted for people to see, never for the judge.
    limits: the arm's latency thresholds in seconds, one for each quantile. keyed: whether outcomes are kept unit by unit.
    """

    __slots__ = (
        "completed",
        "exceeded",
        "failures",
        "first_at",
        "judged",
        "keyed",
        "last_at",
        "latency",
        "limits",
        "model",
        "revision",
        "thresholds_id",
        "units",
        "version",
    )

    def __init__(
        self,
        model: str,
        version: int,
        revision: Revision,
        *,
        judged: bool,
        keyed: bool = False,
        thresholds_id: int = 0,
        limits: tuple[float, ...] = (),
    ) -> None:
        self.model = model
        self.version = version
        self.revision = revision
        self.judged = judged
        self.keyed = keyed
        self.thresholds_id = thresholds_id
        self.limits = limits
        self.clear()

    def clear(self) -> None:
        self.completed = 0
        self.failures: dict[str, int] = {}
        self.latency: dict[int, int] = {}
        self.exceeded = [0] * len(self.limits)
        self.units: list[UnitOutcome] = []
        self.first_at = 0.0
        self.last_at = 0.0

    def succeeded(self, key: int, seconds: float, at: float) -> None:
        """seconds: the runtime's time. at: Unix seconds."""
        index = bucket(seconds)
        self.latency[index] = self.latency.get(index, 0) + 1
        bits = 0
        for quantile, limit in enumerate(self.limits):
            if seconds > limit:
                self.exceeded[quantile] += 1
                bits |= 2 << quantile
        self._completed(key, bits, at)

    def failed(self, key: int, kind: str, at: float) -> None:
        self.failures[kind] = self.failures.get(kind, 0) + 1
        self._completed(key, FAILED, at)

    def cell(self) -> Cell:
        return Cell(
            model=self.model,
            version=self.version,
            revision=self.revision,
            completed=self.completed,
            failures=self.failures,
            latency=self.latency,
            thresholds_id=self.thresholds_id,
            exceeded=tuple(self.exceeded),
            units=tuple(self.units),
            first_at=self.first_at,
            last_at=self.last_at,
        )

    def _completed(self, key: int, bits: int, at: float) -> None:
        if not self.completed:
            self.first_at = at
        self.completed += 1
        self.last_at = at
        if self.keyed:
            self.units.append(UnitOutcome(key, bits))
