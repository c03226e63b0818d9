"""Who is told of what happens, and how each telling fares.

The log of events is the outbox: a webhook is a reader with a place in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Channel(StrEnum):
    HTTP = "http"
    SLACK = "slack"
    EMAIL = "email"


class WebhookState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Webhook:
    """events: patterns of actions, as `request:transition:*`. model: "": all. target: for people, without secrets: the whole
    address lies with the secret. after: the event up to which everything was taken up.
    """

    id: str
    channel: Channel
    events: tuple[str, ...]
    target: str
    created_by: str
    created_at: datetime
    after: int
    model: str = ""
    description: str = ""
    state: WebhookState = WebhookState.ACTIVE


class DeliveryState(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook. id: the same at each attempt, so that the receiver can tell repetitions. next_at: Unix
    seconds of the next attempt. answer: what the last one came to.
    """

    id: str
    webhook: str
    event: int
    state: DeliveryState
    created_at: datetime
    next_at: float
    attempts: int = 0
    answer: str = ""
    ended_at: datetime | None = None
