"""An error as a page: what happened, and the next step."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse

from lockgate.entrypoints.ui.render import render_apart


def error_page(request: Request, status: HTTPStatus, detail: str, hint: str | None) -> HTMLResponse:
    """Without a look at the state, which may be what is broken."""
    return render_apart(request, "error.html", status, error=status, detail=detail, hint=hint)
