"""Say, once, that the labels by which a rollout is judged do not come."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pydantic import ValidationError

from lockgate.domain.events import Action, Happened
from lockgate.domain.people import CONTROLLER
from lockgate.domain.rollouts import Rollout
from lockgate.ports.state import PROJECTS, ROLLOUTS, SHADOW_SCORES, Reader
from lockgate.stages.deliver.label_wait import judged_by_labels, missing_since, sentence
from lockgate.stages.watch.spec import LabelsSpec
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.world import World


def note_missing_labels(world: World) -> None:
    """Write on each rollout under way since when it misses its labels, and record an event when that begins."""
    now = world.clock.now()
    with world.state.read() as reader:
        if not _changed(reader, now):
            return
    with world.state.write() as tx:
        for changed in _changed(tx, now):
            tx.put(ROLLOUTS, changed)
            if changed.unlabelled_since is not None:
                tx.record(_missing(changed, missing_labels(tx, changed), now))


def _changed(tx: Reader, now: datetime) -> list[Rollout]:
    """The rollouts of which something else is to be said than is written on them."""
    judged = [one for one in rollouts_under_way(tx) if judged_by_labels(one)]
    told = [replace(one, unlabelled_since=missing_since(one, _delay(tx, one.model), now)) for one in judged]
    return [new for old, new in zip(judged, told, strict=True) if new != old]


def missing_labels(tx: Reader, rollout: Rollout) -> str:
    """What is waited for, since when, and what to do about it; empty while labels come or are not due."""
    if rollout.unlabelled_since is None or rollout.ended_at is not None:
        return ""
    return sentence(rollout, rollout.unlabelled_since, tx.count(SHADOW_SCORES, rollout=rollout.id))


def _delay(tx: Reader, model: str) -> float:
    """Seconds that labels usually need, as the project file says; 0 where it does not."""
    project = tx.get(PROJECTS, model)
    try:
        return LabelsSpec.model_validate(project.watch.get("labels", {})).delay if project else 0.0
    except ValidationError:  # of another release: whoever watches the model says so, and a rollout does not stand still for it
        return 0.0


def _missing(rollout: Rollout, detail: str, now: datetime) -> Happened:
    actor, details = CONTROLLER, {"detail": detail}
    return Happened(
        Action.LABELS_MISSING, actor.name, actor.authenticated, now, rollout.id, rollout.model, rollout.version, details
    )
