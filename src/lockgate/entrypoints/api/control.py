"""The control channel: what the data plane's workers and the control plane tell each other.

Workers pull the route table by long poll and push acknowledgements and observations; the control plane never calls a worker.
"""

from __future__ import annotations

import logging
from hmac import compare_digest
from http import HTTPStatus
from typing import Annotated, TypeVar, cast

import msgspec
from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from lockgate.boundary.acknowledgements import Acknowledgement
from lockgate.boundary.key_file import KeyFile
from lockgate.boundary.keys import Key, KeyScope
from lockgate.boundary.observations import Block
from lockgate.boundary.routes import Revision
from lockgate.entrypoints.api.route_watch import RouteWatch
from lockgate.kernel.errors import Invalid
from lockgate.ports.state import CONSUMED, INBOX, WORKERS, Received, Worker
from lockgate.usecases.world import World

LONGEST_WAIT = 60.0  # seconds
_JSON = "application/json"

T = TypeVar("T")
_blocks = msgspec.msgpack.Decoder(Block)
_acknowledgements = msgspec.json.Decoder(Acknowledgement)

log = logging.getLogger(__name__)


async def known_worker(request: Request, authorization: Annotated[str, Header()] = "") -> None:
    """Let in who holds the home's control token, or a key with the scope `control`."""
    if holds_token(request, authorization) or holder(request, authorization, KeyScope.CONTROL) is not None:
        return
    raise HTTPException(
        HTTPStatus.UNAUTHORIZED,
        "the control channel needs the control token of this home, or a key with the scope 'control', as a bearer token",
        headers={"WWW-Authenticate": "Bearer"},
    )


def holds_token(request: Request, authorization: str) -> bool:
    """Whether it is the home's control token."""
    return compare_digest(authorization.encode(), f"Bearer {request.app.state.control_token}".encode())


def holder(request: Request, authorization: str, scope: KeyScope) -> Key | None:
    """The key that is shown, if it opens `scope` now."""
    file = cast("KeyFile | None", request.app.state.keys)
    if file is None:
        return None
    try:
        file.refresh()
    except Invalid as error:
        log.warning("keys unusable", extra={"reason": error.message})
    return file.holder(authorization.removeprefix("Bearer "), scope, _world(request).clock.now())


router = APIRouter(prefix="/control/v1", tags=["control channel"], dependencies=[Depends(known_worker)])


def _world(request: Request) -> World:
    return cast("World", request.app.state.desk.world)


@router.get("/routes", responses={204: {"description": "No newer table within `wait` seconds."}})
async def routes(
    request: Request,
    after: Annotated[str, Query(description="The revision that the worker routes by, as `EPOCH.N`.")] = "0.0",
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for a newer table.")] = 0.0,
) -> Response:
    """The route table, as soon as it is newer than `after`."""
    watch = cast("RouteWatch", request.app.state.route_watch)
    table = await watch.newer_than(_revision(after), wait)
    if table is None:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return Response(msgspec.json.encode(table), media_type=_JSON)


@router.post("/acknowledgements", status_code=HTTPStatus.NO_CONTENT)
async def acknowledge(request: Request) -> None:
    """A worker says by which table it routes and which packages it can answer with."""
    acknowledgement = _decode(_acknowledgements, await request.body(), "acknowledgement (JSON)")
    world = _world(request)
    worker = Worker(acknowledgement.incarnation, world.clock.now().timestamp(), acknowledgement)
    await run_in_threadpool(_keep_worker, world, worker)


@router.post("/observations", status_code=HTTPStatus.NO_CONTENT)
async def observe(request: Request) -> None:
    """A worker hands over a block of observations. Sending a block again changes nothing."""
    block = _decode(_blocks, await request.body(), "block of observations (MessagePack)")
    await run_in_threadpool(_keep_block, _world(request), block)


def _keep_worker(world: World, worker: Worker) -> None:
    with world.state.write() as tx:
        tx.put(WORKERS, worker)


def _keep_block(world: World, block: Block) -> None:
    with world.state.write() as tx:
        consumed = tx.get(CONSUMED, block.worker, block.incarnation)
        if consumed is None or block.sequence > consumed.sequence:
            tx.add(INBOX, Received(block.worker, block.incarnation, block.sequence, block))


def _revision(text: str) -> Revision:
    try:
        return Revision.parse(text)
    except ValueError as error:
        raise Invalid(f"revision {text[:40]!r} found, EPOCH.N expected, as in 0.12") from error


def _decode(decoder: msgspec.json.Decoder[T] | msgspec.msgpack.Decoder[T], content: bytes, what: str) -> T:
    try:
        return decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"this is no {what}: {error}") from error
