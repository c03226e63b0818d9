"""Who acts and who looks. As everywhere, but that on an open server these clients need not say who they are: they cannot."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from lockgate.domain.people import Actor
from lockgate.entrypoints.api.people import (
    HEADER,
    administering_actor,
    caller_of,
    deciding_actor,
    writing_actor,
)

ANONYMOUS = Actor("anonymous")


async def _viewing(request: Request) -> Actor:
    caller = caller_of(request)
    return caller.actor if caller else await _writing(request)


async def _writing(request: Request) -> Actor:
    return ANONYMOUS if _nameless(request) else await writing_actor(request, _given(request))


async def _deciding(request: Request) -> Actor:
    return ANONYMOUS if _nameless(request) else await deciding_actor(request, _given(request))


async def _administering(request: Request) -> Actor:
    return ANONYMOUS if _nameless(request) else await administering_actor(request, _given(request))


def _nameless(request: Request) -> bool:
    return caller_of(request) is None and not _given(request)


def _given(request: Request) -> str:
    return request.headers.get(HEADER, "")


Viewer = Annotated[Actor, Depends(_viewing)]
Writer = Annotated[Actor, Depends(_writing)]
Decider = Annotated[Actor, Depends(_deciding)]
Administrator = Annotated[Actor, Depends(_administering)]
