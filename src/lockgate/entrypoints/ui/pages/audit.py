"""Who did what to which thing, and whether the record is whole. And what watching found."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from lockgate.domain.events import Event
from lockgate.entrypoints.reading.chain import first_altered
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.entrypoints.ui.render import render
from lockgate.kernel.errors import Corrupt
from lockgate.ports.state import FINDINGS, MODELS, TRIGGERS, Reader
from lockgate.usecases.read_audit import verify_audit

PER_PAGE = 50
_MOST_PAGES = 100

router = APIRouter(include_in_schema=False)
PageAsked = Annotated[int, Query(ge=1, le=_MOST_PAGES)]


@router.get("/audit")
def audit(request: Request, desk: DeskHere, model: str = "", page: PageAsked = 1, verify: Literal["", "all"] = "") -> Response:
    with desk.world.state.read() as tx:
        names = [one.name for one in tx.find(MODELS)]
        found = _newest(tx, page * PER_PAGE + 1, model)
    checked = verify_audit(desk.world) if verify or found is None else None
    events = found or []
    shown = events[(page - 1) * PER_PAGE : page * PER_PAGE]
    return render(
        request,
        "audit.html",
        events=shown,
        checked=checked,
        broken=checked.broken if checked else first_altered(shown),
        model=model,
        names=names,
        page=page,
        more=len(events) > page * PER_PAGE and page < _MOST_PAGES,
    )


def _newest(tx: Reader, limit: int, model: str) -> list[Event] | None:
    """None where one of them cannot be read any more: then the walk of the whole chain says which."""
    try:
        return tx.events(newest_first=True, limit=limit, model=model or None)
    except Corrupt:
        return None


@router.get("/findings")
def findings(request: Request, desk: DeskHere, model: str = "", page: PageAsked = 1) -> Response:
    asked: dict[str, str | int] = {"model": model} if model else {}
    with desk.world.state.read() as tx:
        found = tx.find(FINDINGS, newest_first=True, limit=PER_PAGE, offset=(page - 1) * PER_PAGE, **asked)
        total = tx.count(FINDINGS, **asked)
        triggers = tx.find(TRIGGERS, newest_first=True, limit=PER_PAGE * 4, offset=0, **asked)
        names = [one.name for one in tx.find(MODELS)]
    by_finding = {one.id: [trigger for trigger in triggers if trigger.finding == one.id] for one in found}
    pages = -(-total // PER_PAGE)
    return render(
        request,
        "findings.html",
        findings=found,
        triggers=by_finding,
        page=page,
        pages=pages,
        total=total,
        model=model,
        names=names,
    )
