"""Let a segment's alias say what the promotion of a rollout in it brought about. Stages are the general champion's matter."""

from __future__ import annotations

from datetime import datetime

from lockgate.domain.events import Action, Happened
from lockgate.domain.models import Alias, ModelVersion, Stage, alias_of
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Rollout
from lockgate.ports.state import ALIASES, Writer
from lockgate.usecases.apply_stage import cancel_meaningless


def name_champion(tx: Writer, promoted: Rollout, version: ModelVersion, actor: Actor, now: datetime) -> None:
    """version: the one that entered; where the segment falls back, the general champion, and the segment has none of its own."""
    alias = alias_of(promoted.segment)
    if promoted.falls_back:
        tx.remove(ALIASES, version.model, alias)
        tx.record(_happened(Action.ALIAS_REMOVED, promoted, promoted.baseline or version.version, actor, now))
        return
    tx.put(ALIASES, Alias(version.model, alias, version.version))
    tx.record(_happened(Action.ALIAS_SET, promoted, version.version, actor, now))
    cancel_meaningless(tx, version, Stage.PRODUCTION, actor, now, promoted.segment)


def _happened(action: Action, promoted: Rollout, version: int, actor: Actor, now: datetime) -> Happened:
    details = {"alias": alias_of(promoted.segment), "segment": promoted.segment}
    subject = f"{promoted.model}/{version}"
    return Happened(action, actor.name, actor.authenticated, now, subject, promoted.model, version, dict(details))
