"""Who calls? Asked of every request before any route sees it, so that a route nobody thought about is closed.

As long as the state has no user (and no identity provider is configured) the server is open and takes callers by the name that
they give. From the first user on it is closed: a caller shows a token (`Authorization: Bearer`, or as the password of Basic), or
is a browser with the cookie of a login. Free are probes, the way in itself, static files, and what clients look for in vain;
workers and subscribers show a token of their own.

Reading needs the scope `read`. Which further scope a write needs its route says (`people.py`); a token that is for reading only
is refused here already.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Asked

from lockgate.domain.access import Scope
from lockgate.entrypoints.api.callers import Callers
from lockgate.entrypoints.api.guard import READING
from lockgate.entrypoints.api.people import missing_scope
from lockgate.entrypoints.api.problems import problem
from lockgate.entrypoints.cookies import CSRF_HEADER, SESSION, cookie_in, proves
from lockgate.kernel.errors import LockgateError
from lockgate.usecases.recognise_caller import Caller

PROBES = ("/.well-known/databricks-config",)  # clients look whether there is one, and are told that there is not
FREE = ("/health/", "/control/", "/channels/", "/artifacts/", "/static/", "/login/")
REPORTS = "/reports"
LOGIN = "/login"
LOGOUT = "/logout"  # whoever may come in may leave
_CHALLENGE = {"www-authenticate": "Bearer"}
_HINT = "Send `Authorization: Bearer TOKEN`. `lockgate user token NAME` makes one; a browser signs in at /login."


class Entrance:
    """Puts who was recognised into the request's state as `caller`: None where the server is open.

    told: an error as its answer.
    """

    def __init__(self, app: ASGIApp, callers: Callers, told: Callable[[Request, LockgateError], Response]) -> None:
        self._app = app
        self._callers = callers
        self._told = told

    async def __call__(self, scope: Asked, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(FREE) or scope["path"] in (LOGIN, REPORTS, *PROBES):
            await self._app(scope, receive, send)
            return
        try:
            answer = await self._look(scope)
        except LockgateError as error:  # the state cannot be read: then nobody can be recognised
            answer = self._told(Request(scope), error)
        await (answer or self._app)(scope, receive, send)

    async def _look(self, scope: Asked) -> Response | None:
        """The refusal; None, and the caller noted, if the request may come in."""
        if not await self._callers.closed():
            _note(scope, None, "")
            return None
        headers = Headers(scope=scope)
        shown, cookie = headers.get("authorization", ""), cookie_in(headers.get("cookie", ""), SESSION)
        caller = await self._recognised(shown, cookie)
        if caller is None:
            return _unknown(scope, headers, shown)
        if caller.login and scope["method"] not in READING and not proves(headers.get(CSRF_HEADER, ""), cookie):
            hint = f"Reload the page. Programs show a token and need no {CSRF_HEADER}."
            return problem(HTTPStatus.FORBIDDEN, f"{CSRF_HEADER} missing or wrong: this did not come from a page here", hint=hint)
        if (missing := _missing(caller, scope)) is not None:
            return self._told(Request(scope), missing_scope(caller, missing))
        _note(scope, caller, cookie if caller.login else "")
        return None

    async def _recognised(self, shown: str, cookie: str) -> Caller | None:
        """What is shown in a header counts alone: a wrong token is not mended by a cookie."""
        if shown:
            return await self._callers.by_token(_token(shown))
        return await self._callers.by_cookie(cookie) if cookie else None


def _missing(caller: Caller, scope: Asked) -> Scope | None:
    if scope["method"] in READING:
        return None if Scope.READ in caller.scopes else Scope.READ
    return Scope.WRITE if caller.scopes <= {Scope.READ} and scope["path"] != LOGOUT else None


def _note(scope: Asked, caller: Caller | None, cookie: str) -> None:
    state: dict[str, Any] = scope.setdefault("state", {})
    state["caller"], state["cookie"] = caller, cookie


def _token(shown: str) -> str:
    """The token in an `Authorization`; empty if there is none. Of Basic only the password counts: the token says who it is."""
    kind, _, value = shown.partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _unknown(scope: Asked, headers: Headers, shown: str) -> Response:
    """People are shown the way in, programs are told what is missing."""
    if not shown and scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        request = Request(scope)
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{LOGIN}?next={quote(wanted, safe='/')}", HTTPStatus.SEE_OTHER)
    detail = "this token is unknown, has ended, or its user is disabled" if shown else "who calls must be known here"
    return problem(HTTPStatus.UNAUTHORIZED, detail, hint=_HINT, headers=_CHALLENGE)
