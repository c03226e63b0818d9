"""Errors as MLflow writes them, `{"error_code", "message"}`, on these paths only: also those of the guard and of the entrance."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lockgate.entrypoints.api import problems
from lockgate.kernel.errors import Conflict, Corrupt, Invalid, LockgateError, MissingExtra, NotFound, Refused, Unavailable

PREFIX = "/api/2.0"


class AlreadyExists(Conflict):
    """The very thing that was to be made is there."""


class GatesNotPassed(Refused):
    """Gates are in the way, whoever asks."""


# The first that fits: subclasses stand before their parents.
_CODES: tuple[tuple[type[LockgateError], HTTPStatus, str], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND, "RESOURCE_DOES_NOT_EXIST"),
    (AlreadyExists, HTTPStatus.CONFLICT, "RESOURCE_ALREADY_EXISTS"),
    (Conflict, HTTPStatus.CONFLICT, "RESOURCE_CONFLICT"),
    (GatesNotPassed, HTTPStatus.UNPROCESSABLE_ENTITY, "GATES_NOT_PASSED"),
    (Refused, HTTPStatus.FORBIDDEN, "PERMISSION_DENIED"),
    (Invalid, HTTPStatus.BAD_REQUEST, "INVALID_PARAMETER_VALUE"),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE"),
    (MissingExtra, HTTPStatus.NOT_IMPLEMENTED, "NOT_IMPLEMENTED"),
    (Corrupt, HTTPStatus.INTERNAL_SERVER_ERROR, "DATA_LOSS"),
)
_BY_STATUS = {
    HTTPStatus.BAD_REQUEST: "BAD_REQUEST",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "ENDPOINT_NOT_FOUND",
    HTTPStatus.METHOD_NOT_ALLOWED: "ENDPOINT_NOT_FOUND",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "INVALID_PARAMETER_VALUE",
    HTTPStatus.SERVICE_UNAVAILABLE: "TEMPORARILY_UNAVAILABLE",
}


def failure(status: HTTPStatus, code: str, message: str, hint: str | None = None) -> JSONResponse:
    """The next step stands at the end of the message: these clients show nothing else."""
    return JSONResponse({"error_code": code, "message": f"{message}. {hint}" if hint else message}, status)


async def on_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, LockgateError):
        raise error
    for kind, status, code in _CODES:
        if isinstance(error, kind):
            return failure(status, code, error.message, error.hint)
    return failure(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", error.message, error.hint)


async def on_http(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    return failure(status, _BY_STATUS.get(status, "INTERNAL_ERROR"), str(error.detail))


async def on_surprise(_request: Request, error: Exception) -> Response:
    message = f"The server made a mistake ({type(error).__name__}); its log says more."
    return failure(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", message)


class Translated:
    """What stands around these paths refuses in problem details; here the refusal is told again in MLflow's form."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX + "/"):
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def translating(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_problem(message):
                start = message
            elif start is None:
                await send(message)
            else:  # a problem comes in one piece
                await _tell(start, json.loads(message["body"]), send)

        await self._app(scope, receive, translating)


def _is_problem(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type", "").startswith(problems.MEDIA_TYPE)


async def _tell(start: Message, problem: dict[str, Any], send: Send) -> None:
    status = HTTPStatus(problem["status"])
    said = failure(status, _BY_STATUS.get(status, "INTERNAL_ERROR"), problem["detail"], problem.get("hint"))
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["content-type"], headers["content-length"] = said.headers["content-type"], said.headers["content-length"]
    await send({**start, "headers": headers.raw})
    await send({"type": "http.response.body", "body": said.body})
