"""Runs: what came of a commit, these data and these parameters, step by step."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from lockgate.domain.runs import Run, RunStatus
from lockgate.entrypoints.reading.desk import Desk, DeskHere
from lockgate.entrypoints.reading.files import log_tail
from lockgate.entrypoints.reading.gates import gates_then
from lockgate.entrypoints.reading.tones import RUN_TONE, STEP_TONE
from lockgate.entrypoints.ui.render import render
from lockgate.kernel.errors import NotFound
from lockgate.ports.state import MODELS, RUNS
from lockgate.usecases.find_things import run_by

PER_PAGE = 50
_TAIL = 8 * 1024  # bytes of each log that a page shows

router = APIRouter(include_in_schema=False)


@router.get("/runs")
def runs(request: Request, desk: DeskHere, model: str = "", page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> Response:
    asked: dict[str, str | int] = {"model": model} if model else {}
    with desk.world.state.read() as tx:
        found = tx.find(RUNS, newest_first=True, limit=PER_PAGE, offset=(page - 1) * PER_PAGE, **asked)
        total = tx.count(RUNS, **asked)
        names = [one.name for one in tx.find(MODELS)]
    pages = -(-total // PER_PAGE)
    return render(request, "runs.html", runs=found, total=total, page=page, pages=pages, model=model, names=names, tones=RUN_TONE)


@router.get("/runs/{run_id}")
def run(request: Request, desk: DeskHere, run_id: str) -> Response:
    with desk.world.state.read() as tx:
        found = run_by(tx, run_id)
    return render(
        request,
        "run.html",
        run=found,
        running=found.status is RunStatus.RUNNING,
        logs={step.name: _tail(desk, found, step.name) for step in found.steps if step.log},
        gates=gates_then(found.gates),
        tones={"runs": RUN_TONE, "steps": STEP_TONE},
        longest=max((step.seconds or 0.0 for step in found.steps), default=0.0) or 1.0,
    )


def _tail(desk: Desk, run: Run, step: str) -> str:
    """The end of the log; nothing where it was cleaned away."""
    try:
        return log_tail(desk.home, run, step, _TAIL)
    except NotFound:
        return ""
