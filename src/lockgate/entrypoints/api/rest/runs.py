"""Runs of pipelines: their steps, gates and logs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse

from lockgate.domain.runs import RunStatus
from lockgate.entrypoints.api.rest.paging import WindowAsked, page
from lockgate.entrypoints.api.shapes.basics import Page
from lockgate.entrypoints.api.shapes.runs import Run
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.entrypoints.reading.files import LONGEST_TAIL, log_tail
from lockgate.ports.state import RUNS
from lockgate.usecases.find_things import run_by

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])


@router.get("", response_model=Page[Run])
def runs(desk: DeskHere, asked: WindowAsked, model: str | None = None, status: RunStatus | None = None) -> Any:
    """Runs of pipelines."""
    return page(desk, RUNS, asked, model=model, status=status.value if status else None)


@router.get("/{id}", response_model=Run)
def run(desk: DeskHere, id: str) -> Any:  # noqa: A002 - the path's own word
    """One run with its steps, gates and metrics."""
    with desk.world.state.read() as tx:
        return run_by(tx, id)


@router.get("/{id}/logs/{step}", response_class=PlainTextResponse)
def log(
    desk: DeskHere,
    id: str,  # noqa: A002
    step: str,
    tail: Annotated[int, Query(ge=1, le=LONGEST_TAIL, description="Bytes from the end.")] = LONGEST_TAIL,
) -> PlainTextResponse:
    """What a step printed."""
    with desk.world.state.read() as tx:
        found = run_by(tx, id)
    return PlainTextResponse(log_tail(desk.home, found, step, tail))
