"""The way in for browsers: by a token that is pasted, or by an identity provider. And the way out.

The cookie of a login is SameSite=Strict: no other site can make a browser send it. So a browser that comes by a link from
elsewhere, from the identity provider too, is first handed a page of ours that leads on: its next request comes from here. Only
the cookie that ties a sign-in under way to its browser is Lax, since it must come with the provider's redirect.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from math import ceil
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, RedirectResponse, Response

from lockgate.entrypoints.api.callers import Callers
from lockgate.entrypoints.api.people import caller_of
from lockgate.entrypoints.api.problems import of_error, problem
from lockgate.entrypoints.api.sign_ins import Pending, SignIns, local
from lockgate.entrypoints.cookies import SESSION
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.entrypoints.ui.render import render_apart
from lockgate.kernel.errors import LockgateError, NotFound, Refused
from lockgate.usecases.begin_login import LASTS, begin_login
from lockgate.usecases.end_login import end_login
from lockgate.usecases.recognise_caller import recognise_login
from lockgate.usecases.sign_in import sign_in
from lockgate.usecases.world import World

UNDER_WAY = "lockgate_sign_in"
RETURN = "/login/oidc/return"

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)


def sign_ins_of(request: Request) -> SignIns:
    return cast("SignIns", request.app.state.sign_ins)


SignInsHere = Annotated[SignIns, Depends(sign_ins_of)]


class Shown(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=200)


@router.get("/login")
async def page(request: Request, ways: SignInsHere, next: str = "/") -> Response:  # noqa: A002 - the address's own word
    """How to come in; straight on for whoever need not, or is signed in."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        return render_apart(request, "onward.html", next=local(next))
    callers, cookie = cast("Callers", request.app.state.callers), request.cookies.get(SESSION, "")
    if not await callers.closed() or (cookie and await callers.by_cookie(cookie)):
        return RedirectResponse(local(next), HTTPStatus.SEE_OTHER)
    return _page(request, ways, local(next))


@router.post("/login")
def by_token(request: Request, desk: DeskHere, ways: SignInsHere, shown: Shown) -> Response:
    """Sign in with a token; the answer sets the cookie. A good one is taken whoever failed before from the same address."""
    peer = _peer(request)
    try:
        cookie = begin_login(desk.world, shown.token)
    except Refused as error:
        if wait := ways.wait(peer):
            return _slow_down(peer, wait)
        log.warning("sign-in refused", extra={"peer": peer, "by": "token"})
        return problem(HTTPStatus.UNAUTHORIZED, error.message, hint=error.hint, headers={"www-authenticate": "Bearer"})
    _end_before(request, desk.world)
    answer = JSONResponse({"signed_in": True})
    _keep(answer, cookie, ways.is_secure(request))
    return answer


@router.post("/logout")
def out(request: Request, desk: DeskHere) -> Response:
    """Sign out. For whoever showed a token there is nothing to end."""
    caller = caller_of(request)
    if caller is not None and caller.login:
        end_login(desk.world, caller.actor, caller.login)
        cast("Callers", request.app.state.callers).forget(request.cookies[SESSION])
    answer = JSONResponse({"signed_in": False})
    answer.delete_cookie(SESSION, httponly=True, samesite="strict")
    return answer


@router.get("/login/oidc")
def to_provider(request: Request, ways: SignInsHere, next: str = "/") -> Response:  # noqa: A002
    """To the identity provider."""
    if ways.identity is None:
        raise NotFound("no identity provider is configured", hint="Sign in with a token.")
    peer = _peer(request)
    if wait := ways.wait(peer):
        return _slow_down(peer, wait)
    return_to = ways.address(request) + RETURN
    asked = ways.identity.ask(return_to)
    answer = RedirectResponse(asked.address, HTTPStatus.SEE_OTHER)
    browser = ways.begin(asked, local(next), return_to)
    secure = ways.is_secure(request)
    answer.set_cookie(UNDER_WAY, browser, max_age=600, path=RETURN, httponly=True, samesite="lax", secure=secure)
    return answer


@router.get(RETURN)
def from_provider(
    request: Request, desk: DeskHere, ways: SignInsHere, state: str = "", code: str = "", error: str = ""
) -> Response:
    """Back from the identity provider: once for each sign-in, and only in the browser that began it."""
    pending = ways.end(state, request.cookies.get(UNDER_WAY, ""))
    try:
        cookie = _vouched_for(desk.world, ways, pending, code, error)
    except LockgateError as refusal:
        log.warning("sign-in refused", extra={"peer": _peer(request), "by": "identity provider", "reason": refusal.message})
        answer = _page(request, ways, pending.next if pending else "/", refusal)
        answer.status_code = of_error(refusal).status_code
        return answer
    _end_before(request, desk.world)
    answer = render_apart(request, "onward.html", next=pending.next if pending else "/")
    answer.delete_cookie(UNDER_WAY, path=RETURN, httponly=True, samesite="lax")
    _keep(answer, cookie, ways.is_secure(request))
    return answer


def _vouched_for(world: World, ways: SignIns, pending: Pending | None, code: str, error: str) -> str:
    if ways.identity is None or pending is None:
        why = "it took too long, was used already, or began in another browser"
        raise Refused(f"this sign-in is not under way here: {why}", hint="Try again.")
    if error or not code:
        raise Refused(f"the identity provider said no: {error[:100] or 'no code'}", hint="Try again, or sign in with a token.")
    return sign_in(world, ways.identity.vouch(pending.asked, pending.return_to, code), create=ways.identity.create)


def _page(request: Request, ways: SignIns, to: str, fault: LockgateError | None = None) -> Response:
    said = f"{fault.message}. {fault.hint or ''}".strip() if fault else ""
    return render_apart(request, "login.html", next=to, provider=ways.identity.name if ways.identity else "", fault=said)


def _keep(answer: Response, cookie: str, secure: bool) -> None:  # noqa: FBT001
    """Until its end: the server forgets it earlier if the browser asks for nothing."""
    lasts = int(LASTS.total_seconds())
    answer.set_cookie(SESSION, cookie, max_age=lasts, path="/", httponly=True, samesite="strict", secure=secure)


def _end_before(request: Request, world: World) -> None:
    """Whoever signs in anew leaves nothing open behind."""
    before = recognise_login(world, request.cookies.get(SESSION, ""))
    if before is not None:
        end_login(world, before.actor, before.login)


def _slow_down(peer: str, wait: float) -> Response:
    log.warning("sign-in held back", extra={"peer": peer})
    seconds = ceil(wait)
    detail = f"too many sign-ins from here; the next one may come in {seconds} s"
    return problem(HTTPStatus.TOO_MANY_REQUESTS, detail, hint="Wait.", headers={"retry-after": str(seconds)})


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""
