"""What gates found of a version, and the waivers that stand in for what did not pass."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from lockgate.entrypoints.api.people import DecidesNamed
from lockgate.entrypoints.api.rest.paging import WindowAsked, page
from lockgate.entrypoints.api.shapes.basics import Page
from lockgate.entrypoints.api.shapes.gates import GateEvidence, NewWaiver, Waiver, Withdrawal
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.ports.state import WAIVERS
from lockgate.usecases.find_things import version_of
from lockgate.usecases.read_evidence import evidence_document
from lockgate.usecases.waive_gate import grant_waiver, withdraw_waiver

router = APIRouter(prefix="/api/v1", tags=["gates"])


@router.get("/models/{model}/versions/{version}/evidence", response_model=GateEvidence)
def evidence(desk: DeskHere, model: str, version: int) -> Response:
    """What the gates found when the version was judged: the stored document, whose SHA-256 is the version's `evidence`."""
    with desk.world.state.read() as tx:
        found = version_of(tx, model, version)
    document = evidence_document(desk.world.artifacts, found)
    return Response(document, media_type="application/json", headers={"etag": f'"{found.evidence}"'})


@router.get("/waivers", response_model=Page[Waiver])
def waivers(desk: DeskHere, asked: WindowAsked, model: str | None = None) -> Any:
    """Waivers of gates, also those that hold no more."""
    return page(desk, WAIVERS, asked, model=model)


@router.post("/waivers", status_code=201, response_model=Waiver)
def grant(desk: DeskHere, actor: DecidesNamed, body: NewWaiver) -> Any:
    """Let a gate count as passed for a time, although it did not pass; only for people whom the policy gives a role for it."""
    return grant_waiver(
        desk.world, actor, body.model, body.gate, why=body.why, until=body.until, rule=body.rule, version=body.version
    )


@router.post("/waivers/{id}/withdraw", response_model=Waiver)
def withdraw(desk: DeskHere, actor: DecidesNamed, id: str, body: Withdrawal) -> Any:  # noqa: A002 - the path's own word
    """Take a waiver back: what was measured counts again at once."""
    return withdraw_waiver(desk.world, actor, id, why=body.why)
