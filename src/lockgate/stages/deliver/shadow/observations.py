"""From what workers saw to what the judge of a shadow is told: its answers beside those that were given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lockgate.boundary.histogram import merge
from lockgate.boundary.observations import Cell
from lockgate.domain.evidence import ArmObservation, Observation, Pairs
from lockgate.domain.pairs import LabelledPair
from lockgate.domain.rollouts import Rollout
from lockgate.stages.deliver.rollout import weight_at


def observations(rollout: Rollout, cells: Iterable[Cell], labelled: Sequence[LabelledPair]) -> tuple[Observation, ...]:
    """One observation, or none where the shadow was not asked and no label came.

    Cells of other models and versions are passed over, and so is what happened before the rollout. What the champion did
    meanwhile is kept for people to see: its requests are not all in pairs.
    """
    here = [cell for cell in cells if cell.model == rollout.model and weight_at(rollout, cell.revision.epoch, cell.revision.n)]
    own = [cell for cell in here if cell.shadow and cell.version == rollout.version]
    if not own and not labelled:
        return ()
    champion = [cell for cell in here if not cell.shadow and cell.version == rollout.baseline]
    shadow_labels, champion_labels = _labels(rollout, labelled)
    losses, left_out = _losses(rollout, labelled)
    agreed, disagreed = sum(cell.agreed for cell in own), sum(cell.disagreed for cell in own)
    pairs = Pairs(agreed, disagreed, _merged(cell.deltas for cell in own), losses, left_out)
    return (Observation(rollout.share, _arm(own, shadow_labels, units=True), _arm(champion, champion_labels), pairs=pairs),)


def _arm(cells: Sequence[Cell], labels: tuple[tuple[int, int], ...], *, units: bool = False) -> ArmObservation:
    return ArmObservation(
        completed=sum(cell.completed for cell in cells),
        failed=sum(sum(cell.failures.values()) for cell in cells),
        latency=_merged(cell.latency for cell in cells),
        units=tuple((unit.key, unit.bits) for cell in cells for unit in cell.units) if units else (),
        labels=labels,
    )


def _labels(rollout: Rollout, labelled: Sequence[LabelledPair]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Whether the judged event happened, by the shadow's scores and by the champion's, in the same order."""
    event = rollout.judge.label_event
    if event is None:
        return (), ()
    shadow = tuple((one.key, int(event.happened(one.shadow, one.label))) for one in labelled)
    champion = tuple((one.key, int(event.happened(one.champion, one.label))) for one in labelled)
    return shadow, champion


def _losses(rollout: Rollout, labelled: Sequence[LabelledPair]) -> tuple[tuple[tuple[int, float, float], ...], int]:
    """Of the pairs that have a loss; and how many have none."""
    loss = rollout.judge.loss
    if loss is None:
        return (), 0
    taken = [one for one in labelled if loss.takes(one.label)]
    losses = tuple((one.key, loss.at(one.shadow, one.label), loss.at(one.champion, one.label)) for one in taken)
    return losses, len(labelled) - len(taken)


def _merged(histograms: Iterable[dict[int, int]]) -> dict[int, int]:
    merged: dict[int, int] = {}
    for counts in histograms:
        merge(merged, counts)
    return merged
