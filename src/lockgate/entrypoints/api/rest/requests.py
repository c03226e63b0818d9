"""Transition requests: asked by one person, decided by another."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lockgate.domain.models import RequestState
from lockgate.entrypoints.api.people import ActorNamed, DecidesNamed
from lockgate.entrypoints.api.rest.paging import WindowAsked, page
from lockgate.entrypoints.api.shapes.basics import Page
from lockgate.entrypoints.api.shapes.models import Approval, Approvals, NewRequest, Request, RequestInFull, Verdict
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.ports.state import REQUESTS
from lockgate.usecases.count_approvals import count_approvals
from lockgate.usecases.decide_request import approve_request, cancel_request, reject_request
from lockgate.usecases.find_things import request_by
from lockgate.usecases.request_transition import request_transition

router = APIRouter(prefix="/api/v1/requests", tags=["requests"])


@router.get("", response_model=Page[Request])
def requests(desk: DeskHere, asked: WindowAsked, model: str | None = None, state: RequestState | None = None) -> Any:
    """Transition requests with their decisions."""
    return page(desk, REQUESTS, asked, model=model, state=state.value if state else None)


@router.get("/{id}", response_model=RequestInFull)
def request(desk: DeskHere, id: str) -> Any:  # noqa: A002 - the path's own word
    """One request with its decisions, how many yes it has, and how many it needs by whom."""
    with desk.world.state.read() as tx:
        found = request_by(tx, id)
        given = count_approvals(tx, found)
    whole = Request.model_validate(found).model_dump()
    return RequestInFull(**whole, approvals=Approvals.model_validate(given))


@router.post("", status_code=201, response_model=Request)
def create(desk: DeskHere, actor: ActorNamed, body: NewRequest) -> Any:
    """Ask people whether a version may move to a stage."""
    asked = (body.model, body.version, body.to_stage, actor, body.comment, body.segment or "", body.if_digest)
    return request_transition(desk.world, *asked)


@router.post("/{id}/approve", response_model=Request)
def approve(desk: DeskHere, actor: DecidesNamed, id: str, body: Approval | None = None) -> Any:  # noqa: A002
    """One person's yes. The one that completes the quorum opens the way in the same transaction."""
    return approve_request(desk.world, id, actor, body.comment if body else "", body.if_digest if body else None)


@router.post("/{id}/reject", response_model=Request)
def reject(desk: DeskHere, actor: DecidesNamed, id: str, body: Verdict | None = None) -> Any:  # noqa: A002
    """One person's no, which closes the request."""
    return reject_request(desk.world, id, actor, body.comment if body else "")


@router.post("/{id}/cancel", response_model=Request)
def cancel(desk: DeskHere, actor: ActorNamed, id: str, body: Verdict | None = None) -> Any:  # noqa: A002
    """Its requester takes a request back."""
    return cancel_request(desk.world, id, actor, body.comment if body else "")
