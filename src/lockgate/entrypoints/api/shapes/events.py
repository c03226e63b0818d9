"""The audit log, as the REST API answers it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lockgate.domain.events import Event
from lockgate.entrypoints.api.shapes.basics import Shape


class EventRow(Shape):
    seq: int
    action: str
    actor: str
    authenticated: bool
    at: datetime
    subject: str
    model: str
    version: int
    details: dict[str, Any]
    prev_hash: str
    hash: str


def event_row(event: Event) -> EventRow:
    happened = event.happened
    return EventRow(
        seq=event.seq,
        action=happened.action.value,
        actor=happened.actor,
        authenticated=happened.authenticated,
        at=happened.at,
        subject=happened.subject,
        model=happened.model,
        version=happened.version,
        details=happened.details,
        prev_hash=event.prev_hash,
        hash=event.hash,
    )


class Events(Shape):
    """`after`, or for the newest first `before`, of the next question; null when this was the end."""

    items: list[EventRow]
    next_after: int | None
    next_before: int | None = None


class StageThen(Shape):
    model: str
    version: int
    stage: str
    since: datetime
    actor: str


class AliasThen(Shape):
    model: str
    alias: str
    version: int
    since: datetime
    actor: str


class RequestThen(Shape):
    request: str
    model: str
    version: int
    to: str
    segment: str
    since: datetime
    requester: str


class PastState(Shape):
    """`event`: the last one that counts; 0 where nothing had happened yet."""

    at: datetime
    event: int
    stages: list[StageThen]
    aliases: list[AliasThen]
    requests: list[RequestThen]
