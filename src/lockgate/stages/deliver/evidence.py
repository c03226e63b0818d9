"""From what workers saw to what the judge is told: a rollout's two arms, by the weight under which units were assigned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lockgate.boundary import histogram
from lockgate.boundary.observations import Cell, Feedback
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import Rollout
from lockgate.kernel.errors import Invalid
from lockgate.stages.deliver.rollout import weight_at


def observations(rollout: Rollout, cells: Iterable[Cell], labels: Iterable[Feedback]) -> tuple[Observation, ...]:
    """Observations by weight, in the order of the ramp. Cells and labels of other models and versions are passed over.

    So is what a shadow answered, which nobody got. A request that a killed worker had in its hands (`aborted`) is a failure like
    any other: whatever kinds there are, they are added up.

    Requests that were compared with latency thresholds and requests that were not stay apart: the records of sticky units do not
    say which they are.

    Before the first step the canary has no share: only the baseline's latencies are kept then, to set the thresholds by.
    Whoever was seen at that time is a new unit to the rollout when it comes again.

    Raises:
        Invalid: cells that do not fit each other.
    """
    gathered: dict[tuple[float, bool], _Both] = {}
    for cell in (one for one in cells if not one.shadow):
        if (arm := _arm(rollout, cell.model, cell.version)) and (share := weight_at(rollout, *_key(cell))) is not None:
            both = gathered.setdefault((share, bool(cell.thresholds_id)), _Both())
            both.add_cell(arm, cell, latency_only=share == 0.0)
    for label in labels:
        share = weight_at(rollout, *_key(label))
        if (arm := _arm(rollout, label.model, label.version)) and share and rollout.judge.label_event is not None:
            gathered.setdefault((share, True), _Both()).add_label(arm, label, rollout.judge.label_event)
    return tuple(gathered[share, timed].observation(share) for share, timed in sorted(gathered))


def _key(item: Cell | Feedback) -> tuple[int, int]:
    return item.revision.epoch, item.revision.n


def _arm(rollout: Rollout, model: str, version: int) -> str | None:
    if model != rollout.model:
        return None
    return {rollout.version: "canary", rollout.baseline: "baseline"}.get(version)


@dataclass
class _Both:
    """Both arms under one weight, while they are being added up."""

    arms: dict[str, ArmObservation] = field(default_factory=lambda: {"canary": ArmObservation(), "baseline": ArmObservation()})

    def add_cell(self, arm: str, cell: Cell, *, latency_only: bool) -> None:
        before = self.arms[arm]
        latency = _merged(before.latency, cell.latency)
        if latency_only:
            self.arms[arm] = replace(before, latency=latency)
            return
        timed = cell.completed if cell.thresholds_id else 0
        self.arms[arm] = replace(
            before,
            completed=before.completed + cell.completed,
            failed=before.failed + sum(cell.failures.values()),
            timed=before.timed + timed,
            exceeded=_added(before.exceeded, cell.exceeded) if timed else before.exceeded,
            latency=latency,
            units=before.units + tuple((unit.key, unit.bits) for unit in cell.units),
        )

    def add_label(self, arm: str, label: Feedback, event: LabelEvent) -> None:
        before = self.arms[arm]
        happened = event.happened(label.score, label.label)
        self.arms[arm] = replace(before, labels=(*before.labels, (label.key, int(happened))))

    def observation(self, share: float) -> Observation:
        return Observation(share, self.arms["canary"], self.arms["baseline"])


def _merged(one: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    merged = dict(one)
    histogram.merge(merged, other)
    return merged


def _added(one: Sequence[int], other: Sequence[int]) -> tuple[int, ...]:
    if not one:
        return tuple(other)
    if len(one) != len(other):
        raise Invalid(f"cells with {len(one)} and with {len(other)} exceedances found, one for each quantile expected")
    return tuple(left + right for left, right in zip(one, other, strict=True))
