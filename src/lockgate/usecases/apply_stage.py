"""Move a version into a stage, and what follows from it: the old one is archived, the alias moves. One transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from lockgate.domain.environments import ENVIRONMENT_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import CHAMPION, Alias, ModelVersion, RequestState, Stage
from lockgate.domain.people import Actor
from lockgate.ports.state import ALIASES, REQUESTS, VERSIONS, Writer


def apply_stage(tx: Writer, version: ModelVersion, stage: Stage, actor: Actor, now: datetime) -> ModelVersion:
    """The version in its new stage. Requests that lose their meaning by it are cancelled."""
    if stage in ENVIRONMENT_OF:  # an environment holds one version of a model at a time
        for old in tx.find(VERSIONS, model=version.model, stage=stage.value):
            if old.version != version.version:
                archived = replace(old, stage=Stage.ARCHIVED)
                tx.put(VERSIONS, archived)
                tx.record(_happened(Action.STAGE_ARCHIVED, old, actor, now, {"from": stage.value, "for": version.version}))
                cancel_meaningless(tx, archived, Stage.ARCHIVED, actor, now)
    moved = replace(version, stage=stage)
    tx.put(VERSIONS, moved)
    tx.record(_happened(Action.STAGE_APPLIED, moved, actor, now, {"from": version.stage.value, "to": stage.value}))
    if stage is Stage.PRODUCTION:
        tx.put(ALIASES, Alias(version.model, CHAMPION, version.version))
        tx.record(_happened(Action.ALIAS_SET, moved, actor, now, {"alias": CHAMPION}))
    elif version.stage is Stage.PRODUCTION:
        tx.remove(ALIASES, version.model, CHAMPION)
        tx.record(_happened(Action.ALIAS_REMOVED, moved, actor, now, {"alias": CHAMPION}))
    cancel_meaningless(tx, moved, stage, actor, now)
    return moved


def cancel_meaningless(tx: Writer, version: ModelVersion, stage: Stage, actor: Actor, now: datetime, segment: str = "") -> None:
    """Open requests for the version to come where it is now: into a stage, or into a segment of Production."""
    for request in tx.find(REQUESTS, model=version.model, version=version.version, state=RequestState.OPEN.value):
        if (request.to_stage, request.segment) == (stage, segment):
            tx.put(REQUESTS, replace(request, state=RequestState.CANCELLED, closed_at=now))
            where = f"{stage.value}, segment {segment}" if segment else stage.value
            details = {"request": request.id, "why": f"version {version.version} already is in {where}"}
            tx.record(_happened(Action.REQUEST_CANCELLED, version, actor, now, details))


def _happened(action: Action, version: ModelVersion, actor: Actor, now: datetime, details: Mapping[str, object]) -> Happened:
    subject = f"{version.model}/{version.version}"
    return Happened(action, actor.name, actor.authenticated, now, subject, version.model, version.version, dict(details))
