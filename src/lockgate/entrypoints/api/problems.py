"""Errors as the API answers them: problem details (RFC 9457), each with the next step as `hint` and, for inputs, every fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse

from lockgate.entrypoints.api.faults import told
from lockgate.kernel.errors import Conflict, Invalid, InvalidInput, LockgateError, MissingExtra, NotFound, Refused, Unavailable

MEDIA_TYPE = "application/problem+json"

# The first that fits: subclasses stand before their parents.
_STATUS: tuple[tuple[type[LockgateError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Refused, HTTPStatus.FORBIDDEN),
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Invalid, HTTPStatus.BAD_REQUEST),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (MissingExtra, HTTPStatus.NOT_IMPLEMENTED),
)


def status_of(error: LockgateError) -> HTTPStatus:
    """What kind of answer an error is; one without a kind of its own (a damaged artifact, say) is the server's fault."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    hint: str | None = None,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    body: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    if hint:
        body["hint"] = hint
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def of_error(error: LockgateError) -> JSONResponse:
    faults = error.faults if isinstance(error, InvalidInput) else ()
    errors = [{"field": fault.path, "message": fault.message} for fault in faults]
    return problem(status_of(error), error.message, hint=error.hint, errors=errors)


def of_validation(error: RequestValidationError) -> JSONResponse:
    errors = [told(fault) for fault in error.errors()]
    named = "; ".join(f"{one['field']}: {one['message']}" for one in errors)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, named, hint="GET /docs shows what is expected.", errors=errors)
