"""What watching found, as the REST API answers it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lockgate.entrypoints.api.shapes.basics import Shape


class Finding(Shape):
    id: str
    model: str
    version: int
    kind: str
    at: datetime
    detail: str
    measured: dict[str, Any]


class Trigger(Shape):
    id: str
    model: str
    finding: str
    action: str
    decision: str
    reason: str
    at: datetime
    job: str | None
