"""Answers that are no predictions: problem details as in RFC 9457, each naming the field that is at fault."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.serving.protocol.requests import Unsupported

JSON: list[tuple[str, str]] = [("content-type", "application/json")]
PROBLEM: list[tuple[str, str]] = [("content-type", "application/problem+json")]


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def problem(
    status: HTTPStatus,
    detail: str,
    faults: Sequence[Fault] = (),
    *,
    hint: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> Answer:
    """`errors` lists every fault with its field; the type is about:blank, because the status says what kind of problem it is.

    `error` repeats the detail: it is where clients of the Open Inference Protocol look for it.
    """
    content: dict[str, object] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "error": f"{detail}. {hint}" if hint else detail,
    }
    if hint:
        content["hint"] = hint
    if faults:
        content["errors"] = [{"field": fault.path, "detail": fault.message} for fault in faults]
    return Answer(int(status), [*PROBLEM, *headers], msgspec.json.encode(content))


def refusal(error: InvalidInput, status: HTTPStatus | None = None) -> Answer:
    """The answer to a request that was refused: with the status that is given, else 400, or what an error that knows it says."""
    first = error.faults[0]
    more = f" (and {len(error.faults) - 1} more)" if len(error.faults) > 1 else ""
    status = status or (error.status if isinstance(error, Unsupported) else HTTPStatus.BAD_REQUEST)
    return problem(status, f"{first}{more}", error.faults, hint=error.hint)


def answer(content: object, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(int(status), JSON, msgspec.json.encode(content))
