"""What happened and what was found: the audit log, findings, triggers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from lockgate.domain.findings import TriggerDecision
from lockgate.domain.models import Stage
from lockgate.entrypoints.api.rest.paging import MOST, WindowAsked, page
from lockgate.entrypoints.api.shapes.basics import Page
from lockgate.entrypoints.api.shapes.events import Events, PastState, event_row
from lockgate.entrypoints.api.shapes.watching import Finding, Trigger
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.entrypoints.reading.times import moment_of, moment_or_none
from lockgate.ports.state import FINDINGS, TRIGGERS
from lockgate.usecases.find_events import Sought, actions_like, find_events
from lockgate.usecases.look_back import look_back

router = APIRouter(prefix="/api/v1", tags=["watch and audit"])


def _sought(
    action: Annotated[str, Query(description="a pattern, as in `rollout:*`")] = "",
    actor: str | None = None,
    model: str | None = None,
    subject: str | None = None,
    since: str = "",
    until: str = "",
) -> Sought:
    return Sought(actions_like(action), actor, model, subject, moment_or_none(since), moment_or_none(until))


@router.get("/events")
def events(
    desk: DeskHere,
    sought: Annotated[Sought, Depends(_sought)],
    after: Annotated[int, Query(ge=0)] = 0,
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    *,
    newest_first: bool = False,
) -> Events:
    """The audit log from its beginning, or from behind `after`: each event with its hash and the one before. Or from its end,
    or from before `before`, back.
    """
    with desk.world.state.read() as tx:
        found = find_events(tx, sought, after=after, before=before, limit=limit, newest_first=newest_first)
    last = found[-1].seq if len(found) == limit else None
    rows = [event_row(event) for event in found]
    return Events(items=rows, next_after=None if newest_first else last, next_before=last if newest_first else None)


@router.get("/audit/at", response_model=PastState)
def audit_at(desk: DeskHere, time: str, model: str | None = None, *, archived: bool = False) -> Any:
    """What stood where at a time, by the events up to it: stages, aliases, open requests. Archived versions if asked for."""
    past = look_back(desk.world, moment_of(time), model)
    stages = [one for one in past.stages if archived or one.stage is not Stage.ARCHIVED]
    return {"at": past.at, "event": past.event, "stages": stages, "aliases": past.aliases, "requests": past.requests}


@router.get("/findings", response_model=Page[Finding])
def findings(desk: DeskHere, asked: WindowAsked, model: str | None = None) -> Any:
    """What watching found: drift, drops of performance."""
    return page(desk, FINDINGS, asked, model=model)


@router.get("/triggers", response_model=Page[Trigger])
def triggers(desk: DeskHere, asked: WindowAsked, model: str | None = None, decision: TriggerDecision | None = None) -> Any:
    """What was decided about findings, also when it was: nothing, and why."""
    return page(desk, TRIGGERS, asked, model=model, decision=decision.value if decision else None)
