"""Begin and end the hold-back of the version before: part of the transactions that promote, roll back and roll out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lockgate.domain.events import Action, Happened
from lockgate.domain.holds import Hold, HoldEnd
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Rollout
from lockgate.kernel.ids import new_id
from lockgate.ports.state import HOLDS, Writer
from lockgate.stages.deliver.hold_back import begun, ended, from_revision, leaves_behind, renewed
from lockgate.usecases.find_holds import hold_on
from lockgate.usecases.publish_routes import publish_routes


def begin_hold(tx: Writer, rollout: Rollout, actor: Actor, now: datetime) -> None:
    """After a promotion: the version before keeps its share, if the rollout's plan says so."""
    if not leaves_behind(rollout):
        return
    hold = begun(rollout, new_id("hold"), now)
    tx.put(HOLDS, hold)  # the routes follow from it
    tx.put(HOLDS, from_revision(hold, publish_routes(tx, hold.model), now))
    details = {"rollout": hold.rollout, "baseline": hold.baseline, "share": hold.weight, "until": hold.until.isoformat()}
    tx.record(_happened(Action.HOLD_BEGUN, hold, actor, now, details))


def renew_hold(tx: Writer, hold: Hold, now: datetime) -> Hold:
    """The hold in whose route units are drawn anew, if the time for that has come; its journal is told apart by the revision."""
    drawn = renewed(hold, now)
    if drawn is None:
        return hold
    tx.put(HOLDS, drawn)  # the routes follow from it
    drawn = from_revision(drawn, publish_routes(tx, hold.model), now)
    tx.put(HOLDS, drawn)
    return drawn


def end_hold(tx: Writer, hold: Hold, end: HoldEnd, actor: Actor, now: datetime, detail: str = "") -> Hold:
    """The hold as it ended. Its share goes to the promoted version with the next routes that are published."""
    over = ended(hold, end, now, detail)
    tx.put(HOLDS, over)
    details = {"rollout": hold.rollout, "why": end.value, "detail": detail}
    tx.record(_happened(Action.HOLD_ENDED, over, actor, now, details))
    return over


def end_hold_on(tx: Writer, model: str, end: HoldEnd, actor: Actor, now: datetime, detail: str = "") -> None:
    """The same for whatever of the model is held back; mostly nothing is."""
    hold = hold_on(tx, model)
    if hold is not None:
        end_hold(tx, hold, end, actor, now, detail)


def _happened(action: Action, hold: Hold, actor: Actor, now: datetime, details: dict[str, Any]) -> Happened:
    return Happened(action, actor.name, actor.authenticated, now, hold.id, hold.model, hold.version, details)
