"""The platform's policy: what it says, setting it, and the way past it that it leaves open."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lockgate.domain.policy import CURRENT
from lockgate.entrypoints.api.people import AdminNamed, DecidesNamed
from lockgate.entrypoints.api.rest.paging import WindowAsked, page
from lockgate.entrypoints.api.shapes.basics import Page
from lockgate.entrypoints.api.shapes.policy import BrokenGlass, Mended, NewGlass, NewPolicy, Policy
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.ports.state import BROKEN_GLASS, POLICIES
from lockgate.usecases.break_glass import break_glass, mend_glass
from lockgate.usecases.set_policy import set_policy

router = APIRouter(prefix="/api/v1", tags=["policy"])


@router.get("/policy", response_model=Policy)
def policy(desk: DeskHere) -> Any:
    """The policy in force."""
    with desk.world.state.read() as tx:
        return tx.get(POLICIES, CURRENT) or Policy()


@router.put("/policy", response_model=Policy)
def put(desk: DeskHere, actor: AdminNamed, body: NewPolicy) -> Any:
    """Let another policy be in force. Approvals that were given under the one before count no more."""
    return set_policy(desk.world, body.text, actor, if_digest=body.if_digest).record


@router.get("/break-glass", response_model=Page[BrokenGlass])
def broken(desk: DeskHere, asked: WindowAsked) -> Any:
    """Who broke the glass when, and why."""
    return page(desk, BROKEN_GLASS, asked)


@router.post("/break-glass", status_code=201, response_model=BrokenGlass)
def open_glass(desk: DeskHere, actor: DecidesNamed, body: NewGlass) -> Any:
    """From now on the actor's one yes completes any quorum, for as long as the policy says."""
    return break_glass(desk.world, actor, body.why, body.model or "")


@router.post("/break-glass/{id}/close", response_model=BrokenGlass)
def close_glass(desk: DeskHere, actor: DecidesNamed, id: str, body: Mended | None = None) -> Any:  # noqa: A002
    """End it before its time."""
    return mend_glass(desk.world, id, actor, body.why if body else "")
