"""An error as a page: what happened, and the next step."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse

from lockgate.entrypoints.ui.render import environment


def error_page(request: Request, status: HTTPStatus, detail: str, hint: str | None) -> HTMLResponse:
    """Without a look at the state, which may be what is broken."""
    text = (
        environment()
        .get_template("error.html")
        .render(path=request.url.path, plane=None, status=status, detail=detail, hint=hint)
    )
    return HTMLResponse(text, status)
