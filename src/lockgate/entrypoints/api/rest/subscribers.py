"""Which programs follow which channel, and what they run."""

from __future__ import annotations

from fastapi import APIRouter

from lockgate.entrypoints.api.shapes.subscribers import Following
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.entrypoints.reading.subscribers import following

router = APIRouter(prefix="/api/v1", tags=["status"])


@router.get("/subscribers")
def subscribers(desk: DeskHere, model: str | None = None) -> list[Following]:
    """Every process that reported within 14 days: what it follows or embeds, what it runs, and what keeps it from following."""
    with desk.world.state.read() as tx:
        return [Following.model_validate(one) for one in following(tx, desk.world.clock.now(), model)]
