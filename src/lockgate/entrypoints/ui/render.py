"""Templates, and how they spell times, shares and numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from math import exp, isfinite
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.requests import Request
from starlette.responses import HTMLResponse

from lockgate.domain.models import RequestState
from lockgate.entrypoints.cookies import csrf_of
from lockgate.entrypoints.reading.desk import desk_of
from lockgate.entrypoints.reading.words import enumerated, moment, percent
from lockgate.entrypoints.ui.gate_pictures import figures, measured, parts
from lockgate.kernel.digest import PREFIX, short
from lockgate.ports.state import REQUESTS
from lockgate.usecases.live_workers import live_workers
from lockgate.usecases.publish_routes import route_table

HERE = Path(__file__).parent
STATIC = HERE / "static"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def render(request: Request, template: str, status: HTTPStatus = HTTPStatus.OK, **context: Any) -> HTMLResponse:
    """A page. Every page knows the time, how the data plane does, how many requests wait, and who is signed in."""
    desk = desk_of(request)
    now = desk.world.clock.now()
    with desk.world.state.read() as tx:
        table = route_table(tx)
        workers = live_workers(tx, now)
        waiting = tx.count(REQUESTS, state=RequestState.OPEN.value)
    plane = {
        "workers": len(workers),
        "behind": sum(worker.revision < table.revision for worker in workers),
        "revision": str(table.revision),
        "waiting": waiting,
    }
    text = environment().get_template(template).render(now=now, plane=plane, **visit(request), **context)
    return HTMLResponse(text, status)


def render_apart(request: Request, template: str, status: HTTPStatus = HTTPStatus.OK, **context: Any) -> HTMLResponse:
    """A page without a look at the state: for strangers, or because the state may be what is broken."""
    return HTMLResponse(environment().get_template(template).render(plane=None, **visit(request), **context), status)


def visit(request: Request) -> dict[str, Any]:
    """What every page knows of its reader. me: who is signed in, or None. csrf: what a write must show, or empty."""
    state: dict[str, Any] = request.scope.get("state", {})
    caller, cookie = state.get("caller"), state.get("cookie", "")
    return {"path": request.url.path, "me": caller.actor if caller else None, "csrf": csrf_of(cookie) if cookie else ""}


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        age=age, ago=ago, moment=moment, percent=percent, number=number, figure=figure, detail=detail, short=short, evalue=evalue,
        duration=duration, size=size, measured=measured, gate_parts=parts, gate_figures=figures, enumerated=enumerated,
    )  # fmt: skip
    made.globals.update(static=static)
    return made


@cache
def static(name: str) -> str:
    """The file's address, which changes with its content: so browsers may keep it for ever."""
    content = (STATIC / name).read_bytes()
    return f"/static/{name}?v={sha256(content).hexdigest()[:10]}"


@pass_context
def ago(context: Context, at: datetime) -> str:
    """`40 s ago`, `3 h ago`; a date beyond four weeks."""
    now: datetime = context["now"]
    seconds = (now - at).total_seconds()
    for limit, unit, name in ((90, 1, "s"), (90 * _MINUTE, _MINUTE, "min"), (36 * _HOUR, _HOUR, "h"), (28 * _DAY, _DAY, "d")):
        if seconds < limit:
            return f"{max(int(seconds // unit), 0)} {name} ago" if seconds >= 1 else "just now"
    return f"{at.astimezone(UTC):%d %b %Y}"


@pass_context
def age(context: Context, at: datetime) -> str:
    """`12 d`: how long ago; nothing beyond four weeks, where a date says more."""
    told = ago(context, at)
    return "0 s" if told == "just now" else told.removesuffix(" ago") if told.endswith(" ago") else ""


def number(value: float) -> str:
    """Whole numbers in groups of three, others with the digits that matter."""
    if isinstance(value, int) or (isfinite(value) and value == int(value) and abs(value) < 1e15):  # noqa: PLR2004
        return f"{int(value):,}".replace(",", "\u202f").replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def figure(value: Any) -> str:
    """A measured value, whatever it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return number(value)


def detail(value: Any) -> str:
    """A value out of an event's details: lists joined, digests shortened."""
    if isinstance(value, list | tuple):
        return ", ".join(detail(one) for one in value)
    return short(value) if isinstance(value, str) and value.startswith(PREFIX) else figure(value)


def evalue(logarithm: float | None) -> str:
    """An e-value from its natural logarithm: how many times likelier the evidence is than if nothing were the matter."""
    if logarithm is None:
        return "–"
    if logarithm > 13.8:  # noqa: PLR2004 - beyond a million nobody reads digits
        return "> 10⁶"
    value = exp(logarithm)
    return f"{value:.2f}" if value < 10 else number(round(value)) if value >= 0.01 else "< 0.01"  # noqa: PLR2004


def duration(value: float | timedelta | None) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if value is None:
        return "–"
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"  # noqa: PLR2004
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def size(count: int) -> str:
    """`512 B`, `48 kB`, `3.2 MB`."""
    for limit, unit, name in ((1000, 1, "B"), (1_000_000, 1000, "kB"), (1_000_000_000, 1_000_000, "MB")):
        if count < limit:
            return f"{count / unit:.3g} {name}"
    return f"{count / 1_000_000_000:.3g} GB"
