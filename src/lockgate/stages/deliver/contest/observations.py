"""From what workers saw to what the judge of a contest is told: all arms, by the weights under which units were assigned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from lockgate.boundary.histogram import merge
from lockgate.boundary.observations import Cell, Feedback
from lockgate.boundary.routes import Revision
from lockgate.domain.evidence import Observation
from lockgate.domain.rollouts import Rollout
from lockgate.stages.deliver.contest.state import Weights
from lockgate.stages.deliver.evidence import Arm


def observations(rollout: Rollout, cells: Iterable[Cell], labels: Iterable[Feedback]) -> tuple[Observation, ...]:
    """Observations by weights, in the order of the ramp. Cells and labels of other models and versions are passed over. What
    came under a revision whose weights are not kept any more is taken for what came before the first step.

    Requests that were compared with latency thresholds and requests that were not stay apart: the records of sticky units do not
    say which they are.

    Raises:
        Invalid: cells that do not fit each other.
    """
    places = {arm.version: place for place, arm in enumerate(rollout.contestants)}
    gathered: dict[tuple[int, bool], _Gathered] = {}
    for cell in (one for one in cells if not one.shadow and one.model == rollout.model):
        step, place = _step_at(rollout, cell.revision), places.get(cell.version)
        if step is not None and place is not None:
            gathered.setdefault((step, bool(cell.thresholds_id)), _Gathered()).add_cell(place, cell)
    event = rollout.contest.goal.event if rollout.contest else None
    for label in (one for one in labels if one.model == rollout.model):
        step, place = _step_at(rollout, label.revision), places.get(label.version)
        if step is not None and place is not None and event is not None:
            happened = event.happened(label.score, label.label)
            gathered.setdefault((step, True), _Gathered()).add_label(place, (label.key, int(happened)))
    return tuple(gathered[key].observation(rollout.ramp[key[0]].shares) for key in sorted(gathered))


def weights_at(rollout: Rollout, revision: Revision) -> Weights | None:
    """By which weights units were assigned under the revision; None: the contest had not begun."""
    step = _step_at(rollout, revision)
    return None if step is None else rollout.ramp[step].shares


def _step_at(rollout: Rollout, revision: Revision) -> int | None:
    begun = sum(Revision(step.epoch, step.n) <= revision for step in rollout.ramp)
    return begun - 1 if begun else None


@dataclass
class _Gathered:
    """All arms under one set of weights, while they are being added up."""

    arms: dict[int, Arm] = field(default_factory=lambda: defaultdict(Arm))
    until: float = 0.0

    def add_cell(self, place: int, cell: Cell) -> None:
        self.until = max(self.until, cell.last_at)
        arm = self.arms[place]
        merge(arm.latency, cell.latency)
        arm.count(cell)

    def add_label(self, place: int, label: tuple[int, int]) -> None:
        self.arms[place].labels.append(label)

    def observation(self, weights: Weights) -> Observation:
        champion, own, *others = (self.arms[place].observation() for place in range(len(weights)))
        return Observation(1.0 - weights[0], own, champion, until=self.until, others=tuple(others), weights=weights)
