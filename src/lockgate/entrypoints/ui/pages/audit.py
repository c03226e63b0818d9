"""Who did what to which thing, whether the record is whole, and what stood where at a time. And what watching found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from lockgate.domain.events import Action
from lockgate.domain.models import Stage
from lockgate.entrypoints.reading.chain import first_altered
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.entrypoints.reading.log_pages import LogPage, log_page
from lockgate.entrypoints.reading.times import moment_of, moment_or_none
from lockgate.entrypoints.ui.render import render
from lockgate.kernel.errors import Corrupt
from lockgate.ports.state import FINDINGS, MODELS, TRIGGERS, Reader
from lockgate.usecases.find_events import Sought, actions_like
from lockgate.usecases.look_back import look_back
from lockgate.usecases.read_audit import verify_audit
from lockgate.wiring.signer import open_signer

PER_PAGE = 50
_MOST_PAGES = 100

router = APIRouter(include_in_schema=False)
PageAsked = Annotated[int, Query(ge=1, le=_MOST_PAGES)]
Place = Annotated[int | None, Query(ge=0)]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form of the page sends: empty where nothing is asked for."""

    model: str = ""
    action: str = ""
    actor: str = ""
    since: str = ""
    until: str = ""

    @property
    def sought(self) -> Sought:
        since, until = moment_or_none(self.since), moment_or_none(self.until)
        return Sought(actions_like(self.action), self.actor or None, self.model or None, since=since, until=until)

    @property
    def query(self) -> str:
        """For links to further pages, with an ampersand before it; empty where nothing is asked for."""
        given = {name: getattr(self, name) for name in ("model", "action", "actor", "since", "until") if getattr(self, name)}
        return f"&{urlencode(given)}" if given else ""


def asked(model: str = "", action: str = "", actor: str = "", since: str = "", until: str = "") -> Asked:
    return Asked(model.strip(), action.strip(), actor.strip(), since.strip(), until.strip())


@router.get("/audit")
def audit(
    request: Request,
    desk: DeskHere,
    asked: Annotated[Asked, Depends(asked)],
    before: Place = None,
    after: Place = None,
    verify: Literal["", "all"] = "",
) -> Response:
    with desk.world.state.read() as tx:
        names = [one.name for one in tx.find(MODELS)]
        found = _readable_page(tx, asked.sought, before, after)
    signer = open_signer(desk.home) if desk.home else None
    checked = verify_audit(desk.world, signer) if verify or found is None else None
    page = found or LogPage((), None, None)
    return render(
        request,
        "audit.html",
        events=page.events,
        newer=page.newer,
        older=page.older,
        checked=checked,
        broken=checked.broken if checked else first_altered(page.events),
        asked=asked,
        actions=[action.value for action in Action],
        names=names,
    )


def _readable_page(tx: Reader, sought: Sought, before: int | None, after: int | None) -> LogPage | None:
    """None where one of its events cannot be read any more: then the walk of the whole chain says which."""
    try:
        return log_page(tx, sought, before=before, after=after, size=PER_PAGE)
    except Corrupt:
        return None


@router.get("/audit/at")
def at(request: Request, desk: DeskHere, time: str = "", model: str = "") -> Response:
    with desk.world.state.read() as tx:
        names = [one.name for one in tx.find(MODELS)]
    past = look_back(desk.world, moment_of(time), model or None) if time.strip() else None
    standing = [one for one in past.stages if one.stage is not Stage.ARCHIVED] if past else []
    archived = len(past.stages) - len(standing) if past else 0
    return render(request, "audit_at.html", past=past, standing=standing, archived=archived, time=time, model=model, names=names)


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
