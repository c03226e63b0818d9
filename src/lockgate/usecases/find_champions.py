"""Which version is the champion of all traffic, or of a segment, and how are segments told apart at present?"""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.boundary.routes import Segmentation
from lockgate.domain.environments import PRODUCTION
from lockgate.domain.holds import Hold
from lockgate.domain.models import ModelVersion, Stage, alias_of, segment_of
from lockgate.domain.rollouts import Rollout
from lockgate.ports.state import ALIASES, VERSIONS, Reader
from lockgate.stages.deliver.rollout import entering
from lockgate.stages.deliver.segments import keeps_segments
from lockgate.usecases.find_holds import hold_on
from lockgate.usecases.find_rollouts import last_into_each, rollouts_under_way
from lockgate.usecases.find_things import environment_of, version_of


def champion_of(tx: Reader, model: str, segment: str = "") -> ModelVersion | None:
    """The segment's own champion, in force or not; of "", the general one, which stands in Production."""
    if not segment:
        found = tx.find(VERSIONS, model=model, stage=Stage.PRODUCTION.value)
        return found[0] if found else None
    alias = tx.get(ALIASES, model, alias_of(segment))
    return version_of(tx, model, alias.version) if alias else None


def segment_champions(tx: Reader, model: str) -> dict[str, int]:
    """By segment, the version that is its champion, in force or not."""
    found = {segment_of(alias.name): alias.version for alias in tx.find(ALIASES, model=model)}
    return {segment: version for segment, version in found.items() if segment}


def champions_in_force(tx: Reader, model: str, segmentation: Segmentation | None) -> dict[str, Rollout]:
    """By segment whose own champion answers there, the rollout through which that came in.

    segmentation: how segments are told apart. A champion is not in force where its segment is not named, or is told by another
    header or field than when it came in: the same value is another part of the traffic then, for which nobody has said yes.
    """
    if segmentation is None:
        return {}
    named = [segment for segment in segment_champions(tx, model) if segment in segmentation.values]
    return {segment: one for segment, one in last_into_each(tx, model, named).items() if told_by(one) == segmentation.by}


def champion_in_force(tx: Reader, model: str, segment: str) -> ModelVersion | None:
    """The segment's own champion with which a rollout that begins now is compared there; None: the general one answers."""
    came = champions_in_force(tx, model, segmentation_of(tx, model)).get(segment)
    return version_of(tx, model, entering(came)) if came else None


def told_by(rollout: Rollout) -> str:
    """The header or field that told the rollout's segment; "" where none were told apart."""
    return rollout.segmentation.by if rollout.segmentation else ""


def segmentation_of(tx: Reader, model: str) -> Segmentation | None:
    """How segments that may have champions are told apart: as when a comparison under way began, or by the project file."""
    return told_apart(tx, model, rollouts_under_way(tx, model))


def segmentation_in_force(tx: Reader, model: str) -> Segmentation | None:
    """The same also while a version is held back, for as long as nothing new begins."""
    return told_apart(tx, model, rollouts_under_way(tx, model), hold_on(tx, model))


def told_apart(tx: Reader, model: str, rollouts: Iterable[Rollout], hold: Hold | None = None) -> Segmentation | None:
    """The same where the model's rollouts under way, and its hold-back, are known already."""
    keeper = hold or keeper_of_segments(rollouts)
    if keeper is not None:
        return keeper.segmentation
    declared = environment_of(tx, model, PRODUCTION).champions
    return declared.segmentation if declared else None


def keeper_of_segments(rollouts: Iterable[Rollout]) -> Rollout | None:
    """One whose evidence would mean something else if segments were told apart otherwise."""
    return next((one for one in rollouts if keeps_segments(one)), None)
