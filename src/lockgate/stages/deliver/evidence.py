"""From what workers saw to what the judge is told: a rollout's two arms, by the weight under which units were assigned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lockgate.boundary import histogram
from lockgate.boundary.observations import Cell, Feedback
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.holds import Compared
from lockgate.domain.rollouts import Rollout, Shown
from lockgate.kernel.errors import Invalid
from lockgate.stages.deliver.rollout import weight_at


def observations(rollout: Compared, cells: Iterable[Cell], labels: Iterable[Feedback]) -> tuple[Observation, ...]:
    """Observations by weight, in the order of the ramp, and by segment. What concerns other models and versions is passed over.

    So is what a shadow answered, which nobody got. A request that a killed worker had in its hands (`aborted`) is a failure like
    any other: whatever kinds there are, they are added up.

    Requests that were compared with latency thresholds and requests that were not stay apart: the records of sticky units do not
    say which they are.

    Before the first step the canary has no share: only the baseline's latencies and scores are kept then, to set thresholds and
    bins by. Whoever was seen at that time is a new unit to the rollout when it comes again.

    Raises:
        Invalid: cells that do not fit each other.
    """
    gathered: defaultdict[tuple[float, bool, str], _Both] = defaultdict(_Both)
    declared = rollout.judge.segments.values if rollout.judge.segments else ()
    for cell in (one for one in cells if not one.shadow):
        if (arm := _arm(rollout, cell.model, cell.version)) and (share := weight_at(rollout, *_key(cell))) is not None:
            segment = cell.segment if cell.segment in declared else ""
            both = gathered[share, bool(cell.thresholds_id), segment]
            both.add_cell(arm, cell, before=share == 0.0, binned=rollout.judge.predictions is not None)
    for label in labels:
        share = weight_at(rollout, *_key(label))
        if (arm := _arm(rollout, label.model, label.version)) and share and rollout.judge.label_event is not None:
            segment = declared[label.segment - 1] if 0 < label.segment <= len(declared) else ""
            gathered[share, True, segment].add_label(arm, label, rollout.judge.label_event)
    return tuple(gathered[key].observation(key[0], key[2]) for key in sorted(gathered))


def shown(rollout: Rollout, aside: Iterable[Cell]) -> Shown:
    """What the rollout's version answered in its preview so far. aside: further cells of requests that chose their version."""
    requests, failures = rollout.shown.requests, dict(rollout.shown.failures)
    for cell in aside:
        if (cell.model, cell.version) == (rollout.model, rollout.version) and not cell.shadow:
            requests += cell.completed
            for kind, count in cell.failures.items():
                failures[kind] = failures.get(kind, 0) + count
    return Shown(requests, failures)


def _key(item: Cell | Feedback) -> tuple[int, int]:
    return item.revision.epoch, item.revision.n


def _arm(rollout: Compared, model: str, version: int) -> str | None:
    if model != rollout.model:
        return None
    return {rollout.version: "canary", rollout.baseline: "baseline"}.get(version)


@dataclass(slots=True)
class Arm:
    """What one arm did, while it is being added up; as in ArmObservation."""

    completed: int = 0
    failed: int = 0
    timed: int = 0
    exceeded: tuple[int, ...] = ()
    latency: dict[int, int] = field(default_factory=dict)
    units: list[tuple[int, int]] = field(default_factory=list)
    labels: list[tuple[int, int]] = field(default_factory=list)
    bins: tuple[int, ...] = ()
    scores: dict[int, int] = field(default_factory=dict)

    def count(self, cell: Cell) -> None:
        """Its requests. Latencies and scores are not counted: before the first step they are all that is kept."""
        self.completed += cell.completed
        self.failed += sum(cell.failures.values())
        if cell.thresholds_id and cell.completed:
            self.timed += cell.completed
            self.exceeded = added(self.exceeded, cell.exceeded, "exceedances")
        self.units += [(unit.key, unit.bits) for unit in cell.units]

    def observation(self) -> ArmObservation:
        return ArmObservation(
            self.completed,
            self.failed,
            self.timed,
            self.exceeded,
            self.latency,
            tuple(self.units),
            tuple(self.labels),
            self.bins,
            self.scores,
        )


@dataclass(slots=True)
class _Both:
    """Both arms under one weight and in one segment, while they are being added up."""

    arms: dict[str, Arm] = field(default_factory=lambda: {"canary": Arm(), "baseline": Arm()})
    until: float = 0.0

    def add_cell(self, arm: str, cell: Cell, *, before: bool, binned: bool) -> None:
        """before: the first step. binned: whether scores are of interest."""
        self.until = max(self.until, cell.last_at)
        one = self.arms[arm]
        histogram.merge(one.latency, cell.latency)
        if binned:
            histogram.merge(one.scores, cell.scores)
        if not before:
            one.count(cell)
            if binned:
                one.bins = added(one.bins, cell.bins, "bins")

    def add_label(self, arm: str, label: Feedback, event: LabelEvent) -> None:
        self.arms[arm].labels.append((label.key, int(event.happened(label.score, label.label))))

    def observation(self, share: float, segment: str) -> Observation:
        canary, baseline = self.arms["canary"].observation(), self.arms["baseline"].observation()
        return Observation(share, canary, baseline, segment=segment, until=self.until)


def added(one: Sequence[int], other: Sequence[int], what: str) -> tuple[int, ...]:
    """Counts of the same things, added up one by one; none is none yet.

    Raises:
        Invalid: of as many things they are not.
    """
    if not one or not other:
        return tuple(one or other)
    if len(one) != len(other):
        raise Invalid(f"cells with {len(one)} and with {len(other)} {what} found, as many in all cells of a rollout expected")
    return tuple(left + right for left, right in zip(one, other, strict=True))
