"""A contest goes on: its arms' figures, what is dropped, how units are dealt out next. Part of the controller's transaction."""

from __future__ import annotations

from datetime import datetime

from lockgate.domain.contests import ContestArm
from lockgate.domain.events import Action, Happened
from lockgate.domain.people import CONTROLLER
from lockgate.domain.rollouts import Rollout
from lockgate.ports.state import Writer
from lockgate.stages.deliver import contest
from lockgate.stages.deliver.contest import ContestState
from lockgate.stages.deliver.judge import Report


def deal(tx: Writer, rollout: Rollout, state: ContestState, judged: Report, now: datetime) -> Rollout:
    """The rollout after a look (see contest.dealt); the caller stores it and publishes its shares. What is out is an event."""
    changed = contest.dealt(rollout, state, judged, now)
    for before, after in zip(rollout.contestants, changed.contestants, strict=True):
        if after.figures.dropped and not before.figures.dropped:
            tx.record(_dropped(rollout, after, now))
    return changed


def _dropped(rollout: Rollout, arm: ContestArm, now: datetime) -> Happened:
    why = f"cannot be loaded ({arm.gone})" if arm.gone else "does harm"
    details: dict[str, object] = {"version": arm.version, "detail": f"version {arm.version} {why}: its share goes to others"}
    if rollout.segment:
        details["segment"] = rollout.segment
    return Happened(
        Action.ROLLOUT_DROPPED, CONTROLLER.name, CONTROLLER.authenticated, now, rollout.id, rollout.model, arm.version, details
    )
