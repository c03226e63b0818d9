"""What all shapes are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints

from lockgate.domain.verdicts import GateVerdict

T = TypeVar("T")
Comment = Annotated[str, StringConstraints(max_length=65_535)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Segment = Annotated[str, StringConstraints(min_length=1)] | None  # null: all traffic; "" is more likely to be a slip


class Shape(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Body(BaseModel):
    """What a caller sends: unknown fields are faults."""

    model_config = ConfigDict(extra="forbid")


class Page(Shape, Generic[T]):
    """`total` counts all that fit the question; `items` are those from `offset` on."""

    items: list[T]
    total: int
    offset: int
    limit: int


class Waived(Shape):
    waiver: str
    by: str
    until: datetime
    why: str


class Gate(Shape):
    """verdict: as measured. waived: who answered for it when the run was judged, or null; `/waivers` says what holds now."""

    gate: str
    rule: str
    verdict: GateVerdict
    detail: str
    measured: dict[str, Any]
    waived: Waived | None
