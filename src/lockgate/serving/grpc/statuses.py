"""How a call ends: an answer's HTTP status as gRPC's code, its problem as message and details, its headers as metadata."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

import msgspec

from lockgate.serving.grpc.messages import STATUS
from lockgate.serving.protocol.problems import Answer

OK, INTERNAL = 0, 13
CODES = {
    HTTPStatus.OK: OK,
    HTTPStatus.BAD_REQUEST: 3,  # INVALID_ARGUMENT
    HTTPStatus.UNAUTHORIZED: 16,  # UNAUTHENTICATED
    HTTPStatus.FORBIDDEN: 7,  # PERMISSION_DENIED
    HTTPStatus.NOT_FOUND: 5,  # NOT_FOUND
    HTTPStatus.REQUEST_TIMEOUT: 4,  # DEADLINE_EXCEEDED
    HTTPStatus.TOO_MANY_REQUESTS: 8,  # RESOURCE_EXHAUSTED
    HTTPStatus.NOT_IMPLEMENTED: 12,  # UNIMPLEMENTED
    HTTPStatus.SERVICE_UNAVAILABLE: 14,  # UNAVAILABLE
    HTTPStatus.GATEWAY_TIMEOUT: 4,  # DEADLINE_EXCEEDED
}
# Clients take 8 KB of metadata and no more: an answer that is longer never arrives, and they see another error in its place.
_LONGEST_MESSAGE = 1000  # bytes; each may travel as three
_LONGEST_DETAILS = 2000
_DETAILS = "grpc-status-details-bin"
_PUSHBACK = "grpc-retry-pushback-ms"  # what a client that retries by a policy waits
_TOLD = ("x-lockgate-version", "www-authenticate", "retry-after")

Metadata = tuple[tuple[str, str | bytes], ...]


class Status(NamedTuple):
    """message: UTF-8. metadata: what trails."""

    code: int
    message: bytes
    metadata: Metadata


class _Fault(msgspec.Struct):
    field: str
    detail: str


class _Problem(msgspec.Struct):
    error: str
    errors: list[_Fault] = []


def status_of(answer: Answer) -> Status:
    told: Metadata = tuple((name, value) for name, value in answer.headers if name in _TOLD)
    if answer.status == HTTPStatus.OK:
        return Status(OK, b"", told)
    code = CODES.get(HTTPStatus(answer.status), INTERNAL)
    found = msgspec.json.decode(answer.body, type=_Problem)
    message = _cut(found.error, _LONGEST_MESSAGE)
    if found.errors:
        told = (*told, (_DETAILS, _details(code, message, found.errors)))
    if (wait := dict(answer.headers).get("retry-after")) is not None:
        told = (*told, (_PUSHBACK, str(int(wait) * 1000)))
    return Status(code, message, told)


def _details(code: int, message: bytes, faults: list[_Fault]) -> bytes:
    """Each field at fault, as many as there is room for."""
    violations = STATUS["BadRequest"]()
    for fault in faults:
        violations.field_violations.add(field=_cut(fault.field, 200).decode(), description=_cut(fault.detail, 400).decode())
        if violations.ByteSize() > _LONGEST_DETAILS:
            violations.field_violations.pop()
            break
    status = STATUS["Status"](code=code, message=message.decode())
    status.details.add(type_url="type.googleapis.com/google.rpc.BadRequest", value=violations.SerializeToString())
    content: bytes = status.SerializeToString()
    return content


def _cut(text: str, longest: int) -> bytes:
    """As much of a text as fits into so many bytes of UTF-8."""
    content = text.encode()
    if len(content) <= longest:
        return content
    return content[: longest - 3].decode(errors="ignore").encode() + b"..."
