"""How far a rollout has come: its journal, folded into totals for each arm and a series short enough to draw.

A journal only grows, so what was folded once is kept, and each further look reads only the rows that came since.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

from lockgate.boundary.histogram import merge
from lockgate.domain.evidence import ArmObservation, JournalRow
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.reading.pairs import PairTotals
from lockgate.ports.state import JOURNAL, Reader

MOST_POINTS = 400  # a series has at most twice as many: a chart is hardly wider in pixels
_KEPT = 64  # rollouts
_BATCH = 1000  # rows


@dataclass(slots=True)
class ArmTotals:
    """exceeded: for each quantile. labelled, events: labels that came, and those of them where the judged event happened."""

    completed: int = 0
    failed: int = 0
    timed: int = 0
    exceeded: tuple[int, ...] = ()
    labelled: int = 0
    events: int = 0
    latency: dict[int, int] = field(default_factory=dict)

    def take(self, seen: ArmObservation) -> None:
        self.completed += seen.completed
        self.failed += seen.failed
        self.timed += seen.timed
        if seen.exceeded:
            before = self.exceeded or (0,) * len(seen.exceeded)
            self.exceeded = tuple(one + more for one, more in zip(before, seen.exceeded, strict=True))
        self.labelled += len(seen.labels)
        self.events += sum(happened for _, happened in seen.labels)
        merge(self.latency, seen.latency)

    def copy(self) -> ArmTotals:
        return ArmTotals(self.completed, self.failed, self.timed, self.exceeded, self.labelled, self.events, dict(self.latency))


@dataclass(frozen=True, slots=True)
class Point:
    """Where the rollout stood after one tick. at: Unix seconds. requests: of both arms, since the start.

    evidence: natural logarithms of e-values: `harm`, `harm/METRIC`, and `safe/METRIC` by the margins of the step under way.
    """

    at: float
    requests: int
    weight: float
    step: int
    verdict: JudgeVerdict
    evidence: dict[str, float]
    turning: bool  # the step or the verdict changed here: such points are never thinned out


@dataclass(frozen=True, slots=True)
class Progress:
    rows: int
    canary: ArmTotals
    baseline: ArmTotals
    points: tuple[Point, ...]
    pairs: PairTotals

    @property
    def requests(self) -> int:
        return self.canary.completed + self.baseline.completed

    @property
    def evidence(self) -> dict[str, float]:
        """The latest."""
        return self.points[-1].evidence if self.points else {}


class _Fold:
    """Between looks. Points are thinned by doubling the stride: a rollout of a week needs no more room than one of a minute."""

    def __init__(self) -> None:
        self.rows = 0
        self.canary = ArmTotals()
        self.baseline = ArmTotals()
        self.pairs = PairTotals()
        self.points: list[Point] = []
        self.last: Point | None = None
        self._stride = 1

    def take(self, rows: Iterable[JournalRow]) -> None:
        for row in rows:
            for seen in row.observations:
                self.canary.take(seen.canary)
                self.baseline.take(seen.baseline)
                self.pairs.take(seen)
            point = self._point(row)
            if point.turning or self.rows % self._stride == 0:
                self.points.append(point)
            self.last = point
            self.rows += 1
            if len(self.points) > 2 * MOST_POINTS:
                self._thin()

    def _point(self, row: JournalRow) -> Point:
        before = self.last
        turning = before is None or before.step != row.step or before.verdict is not row.verdict
        weight = row.observations[-1].weight if row.observations else before.weight if before else 0.0
        requests = self.canary.completed + self.baseline.completed
        return Point(row.at.timestamp(), requests, weight, row.step, row.verdict, evidence_at(row), turning)

    def _thin(self) -> None:
        self._stride *= 2
        self.points = [point for index, point in enumerate(self.points) if point.turning or index % 2 == 0]

    def snapshot(self) -> Progress:
        points = self.points
        if self.last is not None and points[-1] is not self.last:
            points = [*points, self.last]
        return Progress(self.rows, self.canary.copy(), self.baseline.copy(), tuple(points), self.pairs.copy())


def evidence_at(row: JournalRow) -> dict[str, float]:
    """The journal holds evidence of safety by the margins of every step (`safe/METRIC@STEP`); what counts is the row's step."""
    here = f"@{max(row.step, 0)}"
    safe = {name: value for name, value in row.evidence.items() if name.startswith("safe/")}
    others = {name: value for name, value in row.evidence.items() if name not in safe}
    return others | {name.removesuffix(here): value for name, value in safe.items() if name.endswith(here)}


def latest_evidence(tx: Reader, rollout: str) -> dict[str, float]:
    """The last row's, without folding the journal."""
    rows = tx.find(JOURNAL, rollout=rollout, newest_first=True, limit=1)
    return evidence_at(rows[0]) if rows else {}


class Folds:
    """The folds of the rollouts that were looked at last."""

    def __init__(self) -> None:
        self._folds: OrderedDict[str, _Fold] = OrderedDict()
        self._lock = Lock()

    def progress(self, tx: Reader, rollout: str) -> Progress:
        with self._lock:
            fold = self._folds.pop(rollout, None) or _Fold()
            while rows := tx.find(JOURNAL, rollout=rollout, offset=fold.rows, limit=_BATCH):
                fold.take(rows)
            self._folds[rollout] = fold
            while len(self._folds) > _KEPT:
                self._folds.popitem(last=False)
            return fold.snapshot()
