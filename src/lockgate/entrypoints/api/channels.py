"""Channels over HTTP, for programs that follow them: the same paths that a folder of them on any web server has.

    GET      /channels/MODEL@ENVIRONMENT     the signed pointer; with `If-None-Match` and `?wait=` a long poll
    GET HEAD /artifacts/ab/cdef…             an artifact that a channel's releases name; by parts with `Range`

Whoever asks shows a key with the scope `subscribe`, which may be for some models only, or the home's control token.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Annotated, cast

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from starlette.responses import Response, StreamingResponse

from lockgate.boundary.keys import KeyScope
from lockgate.boundary.pointers import parse_channel
from lockgate.entrypoints.api.byte_ranges import Part, Unsatisfiable, asked_for
from lockgate.entrypoints.api.channel_watch import ChannelWatch
from lockgate.entrypoints.api.control import LONGEST_WAIT, holder, holds_token
from lockgate.entrypoints.api.published import Published
from lockgate.kernel.digest import PREFIX
from lockgate.kernel.errors import NotFound
from lockgate.usecases.take_report import HOME

LONG_POLL = "x-lockgate-long-poll"  # whoever sends it waits as long as `?wait=` asks
_JSON = "application/json"
_CHUNK = 1 << 20
_IMMUTABLE = "private, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a key's id, or `home`. covers: whether it may follow a model."""

    id: str
    covers: Callable[[str], bool]


def known_subscriber(request: Request, authorization: Annotated[str, Header()] = "") -> Asker:
    """Who asks. Lets in a key with the scope `subscribe`, and the home's control token for all."""
    if holds_token(request, authorization):
        return Asker(HOME, lambda _model: True)
    key = holder(request, authorization, KeyScope.SUBSCRIBE)
    if key is None:
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED,
            "channels need a key with the scope 'subscribe', as a bearer token",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return Asker(key.id, key.covers)


router = APIRouter(tags=["channels"])


@router.get("/channels/{name}", responses={304: {"description": "It points where it did."}})
async def channel(
    request: Request,
    name: str,
    asker: Annotated[Asker, Depends(known_subscriber)],
    if_none_match: Annotated[str, Header()] = "",
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for another pointer.")] = 0.0,
) -> Response:
    """The channel's pointer: a signed envelope. With `If-None-Match`, as soon as it is another one."""
    name = name.removesuffix(".json")
    watch = cast("ChannelWatch", request.app.state.channel_watch)
    covered = asker.covers(parse_channel(name)[0])
    found = await watch.other_than(name, if_none_match.strip('"'), wait, asker.id) if covered else None
    if found is None:
        raise NotFound(f"there is no channel {name!r}", hint="`lockgate channel list` shows those that there are.")
    headers = {"etag": f'"{found.tag}"', "cache-control": "private, no-cache", LONG_POLL: "1"}
    if _names(if_none_match, found.tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(found.content, media_type=_JSON, headers=headers)


@router.head("/artifacts/{ab}/{rest}", include_in_schema=False)
@router.get("/artifacts/{ab}/{rest}", response_class=Response)
async def artifact(
    request: Request,
    ab: str,
    rest: str,
    asker: Annotated[Asker, Depends(known_subscriber)],
    range_: Annotated[str, Header(alias="range")] = "",
    if_range: Annotated[str, Header()] = "",
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """An artifact, whole or a part of it: 206 for one `Range`, 416 if it lies beyond the end."""
    file = await asyncio.to_thread(_opened, request, PREFIX + ab + rest, asker)
    tag = ab + rest
    headers = {"etag": f'"{tag}"', "cache-control": _IMMUTABLE, "accept-ranges": "bytes"}
    if _names(if_none_match, tag):
        file.close()
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    size = file.seek(0, 2)
    try:
        part = asked_for(range_, size) if not if_range or _names(if_range, tag) else None
    except Unsatisfiable:
        file.close()
        headers["content-range"] = f"bytes */{size}"
        return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
    return _answer(request, file, part, size, headers)


def _answer(request: Request, file: IO[bytes], part: Part | None, size: int, headers: dict[str, str]) -> Response:
    status = HTTPStatus.OK
    if part is not None:
        status = HTTPStatus.PARTIAL_CONTENT
        headers["content-range"] = f"bytes {part.first}-{part.first + part.size - 1}/{size}"
    whole = part or Part(0, size)
    headers |= {"content-length": str(whole.size), "content-type": "application/octet-stream"}
    if request.method == "HEAD":
        file.close()
        return Response(status_code=status, headers=headers)
    return StreamingResponse(_content(file, whole), status, headers)


async def _content(file: IO[bytes], part: Part) -> AsyncIterator[bytes]:
    """Never more than one chunk in memory; read on a thread beside the event loop."""
    with file:
        file.seek(part.first)
        left = part.size
        while left and (chunk := await asyncio.to_thread(file.read, min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk


def _opened(request: Request, digest: str, asker: Asker) -> IO[bytes]:
    """Whoever may not have it is told no more than that it is not there."""
    published = cast("Published | None", request.app.state.published)
    path, models = published.artifact(digest) if published is not None else (Path(), frozenset[str]())
    if any(asker.covers(model) for model in models):
        try:
            return path.open("rb", buffering=0)
        except FileNotFoundError:
            pass  # said below
    raise NotFound(f"no channel names an artifact {digest}", hint="Fetch the channel's pointer again: it may have moved on.")


def _names(header: str, tag: str) -> bool:
    """Whether the tag is among those of an If-None-Match or If-Range; one that is weak names the same bytes here."""
    return tag in {one.strip().removeprefix("W/").strip('"') for one in header.split(",")}
