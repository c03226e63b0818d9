"""Pipeline runs, as the REST API answers them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lockgate.domain.runs import RunStatus, StepStatus
from lockgate.entrypoints.api.shapes.basics import Gate, Shape


class Step(Shape):
    name: str
    kind: str
    status: StepStatus
    fingerprint: str | None
    output: str | None
    started_at: datetime | None
    seconds: float | None
    log: str | None
    error: str | None


class Run(Shape):
    id: str
    model: str
    status: RunStatus
    created_at: datetime
    finished_at: datetime | None
    actor: str
    author: str
    cause: str
    commit: str | None
    dirty: bool
    params: dict[str, Any]
    data: dict[str, str]
    metrics: dict[str, float]
    gates: list[Gate]
    version: int | None
    error: str | None
    steps: list[Step]
