"""What happened and what was found: the audit log, findings, triggers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from lockgate.domain.findings import TriggerDecision
from lockgate.entrypoints.api.rest.paging import MOST, WindowAsked, page
from lockgate.entrypoints.api.shapes.basics import Page
from lockgate.entrypoints.api.shapes.events import Events, event_row
from lockgate.entrypoints.api.shapes.watching import Finding, Trigger
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.ports.state import FINDINGS, TRIGGERS

router = APIRouter(prefix="/api/v1", tags=["watch and audit"])


@router.get("/events")
def events(
    desk: DeskHere,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    model: str | None = None,
    subject: str | None = None,
) -> Events:
    """The audit log from its beginning, or from behind `after`: each event with its hash and the one before."""
    with desk.world.state.read() as tx:
        found = tx.events(after=after, limit=limit, model=model, subject=subject)
    return Events(items=[event_row(event) for event in found], next_after=found[-1].seq if len(found) == limit else None)


@router.get("/findings", response_model=Page[Finding])
def findings(desk: DeskHere, asked: WindowAsked, model: str | None = None) -> Any:
    """What watching found: drift, drops of performance."""
    return page(desk, FINDINGS, asked, model=model)


@router.get("/triggers", response_model=Page[Trigger])
def triggers(desk: DeskHere, asked: WindowAsked, model: str | None = None, decision: TriggerDecision | None = None) -> Any:
    """What was decided about findings, also when it was: nothing, and why."""
    return page(desk, TRIGGERS, asked, model=model, decision=decision.value if decision else None)
