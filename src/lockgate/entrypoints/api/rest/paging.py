"""Listings come in pages of bounded size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query

from lockgate.entrypoints.reading.desk import Desk
from lockgate.ports.state import Kind

T = TypeVar("T")
MOST = 200


@dataclass(frozen=True, slots=True)
class Window:
    offset: int
    limit: int


def window(offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0, limit: Annotated[int, Query(ge=1, le=MOST)] = 50) -> Window:
    return Window(offset, limit)


WindowAsked = Annotated[Window, Depends(window)]


def page(desk: Desk, kept: Kind[T], asked: Window, **equal: str | int | None) -> dict[str, Any]:
    """The newest first; conditions that are None are not asked."""
    conditions = {field: value for field, value in equal.items() if value is not None}
    with desk.world.state.read() as tx:
        items = tx.find(kept, newest_first=True, limit=asked.limit, offset=asked.offset, **conditions)
        total = tx.count(kept, **conditions)
    return {"items": items, "total": total, "offset": asked.offset, "limit": asked.limit}
