"""What people do to a version by themselves: move it where the rules let them, and name it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lockgate.entrypoints.api.people import ActorNamed, DecidesNamed
from lockgate.entrypoints.api.shapes.models import Request
from lockgate.entrypoints.api.shapes.policy import Alias, Move, NewAlias
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.usecases.set_alias import remove_alias, set_alias
from lockgate.usecases.transition_directly import transition_directly

router = APIRouter(prefix="/api/v1/models/{model}", tags=["models"])


@router.post("/versions/{version}/transition", response_model=Request)
def transition(desk: DeskHere, actor: DecidesNamed, model: str, version: int, body: Move) -> Any:
    """Ask and approve at once, where the rules let the actor do so alone; the answer is the approved request."""
    archive, seen = body.archive_existing, body.if_digest
    return transition_directly(
        desk.world, model, version, body.to_stage, actor, body.comment, archive_existing=archive, if_digest=seen
    )


@router.put("/aliases/{name}", response_model=Alias)
def put_alias(desk: DeskHere, actor: ActorNamed, model: str, name: str, body: NewAlias) -> Any:
    """Let the name say this version from now on. `champion` follows from Production and is not set by hand."""
    return set_alias(desk.world, model, name, body.version, actor, body.if_digest)


@router.delete("/aliases/{name}", response_model=Alias)
def delete_alias(desk: DeskHere, actor: ActorNamed, model: str, name: str) -> Any:
    """Take the name away; the answer is what it said last."""
    return remove_alias(desk.world, model, name, actor)
