"""Where embedded models and subscribers tell what they saw: predictions counted into blocks, labels, records, how they stand.

Whoever reports shows a key with the scope `subscribe`, which may be for some models only, or the home's control token.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from http import HTTPStatus
from typing import Annotated, cast

import msgspec
from fastapi import APIRouter, Depends, Header, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from lockgate.boundary.keys import Key, KeyScope, Rate
from lockgate.boundary.limits import decide
from lockgate.boundary.reports import Report
from lockgate.entrypoints.api.control import holder, holds_token
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Invalid
from lockgate.ports.records import RecordSink
from lockgate.usecases.take_report import HOME, Teller, take_report
from lockgate.usecases.world import World

RATE = Rate(per_second=200, burst=2_000)  # of a key that has none of its own: a thousand machines, each every ten seconds
_MOST_KEYS = 10_000

_reports = msgspec.json.Decoder(Report)


class Paces:
    """How often each key reported. Touched by the event loop only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._dues: OrderedDict[str, float] = OrderedDict()

    def wait(self, key: Key) -> float:
        """Seconds until the key may report again; 0 if it may now, and then it did."""
        now = self._clock.monotonic()
        self._dues[key.id], wait = decide(self._dues.get(key.id, 0.0), now, key.rate or RATE)
        self._dues.move_to_end(key.id)
        if len(self._dues) > _MOST_KEYS:
            self._dues.popitem(last=False)
        return wait


async def known_teller(request: Request, authorization: Annotated[str, Header()] = "") -> Teller:
    """Who reports: a key with the scope `subscribe`, or the home's control token."""
    if holds_token(request, authorization):
        return Teller(HOME, lambda _model: True)
    key = holder(request, authorization, KeyScope.SUBSCRIBE)
    if key is None:
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED,
            "reports need a key with the scope 'subscribe', as a bearer token",
            headers={"WWW-Authenticate": "Bearer"},
        )
    wait = cast("Paces", request.app.state.paces).wait(key)
    if wait:
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS, f"the key {key.name!r} reports too often", headers={"Retry-After": str(math.ceil(wait))}
        )
    return Teller(key.id, key.covers)


router = APIRouter(tags=["channels"])


@router.post("/reports", status_code=HTTPStatus.NO_CONTENT)
async def report(request: Request, teller: Annotated[Teller, Depends(known_teller)]) -> None:
    """Take in a report. Sending it again changes nothing."""
    world = cast("World", request.app.state.desk.world)
    sink = cast("RecordSink | None", request.app.state.reported_records)
    body = await request.body()
    await run_in_threadpool(lambda: take_report(world, sink, teller, _decode(body)))


def _decode(body: bytes) -> Report:
    try:
        return _reports.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"this is no report: {error}", hint="docs/reference/http.md says what /reports takes.") from error
