"""Webhooks and their deliveries, as the REST API answers and takes them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from lockgate.domain.notices import Channel, DeliveryState, WebhookState
from lockgate.entrypoints.api.shapes.basics import Body, Shape

Text = Annotated[str, StringConstraints(max_length=1000)]
Patterns = Annotated[tuple[str, ...], Field(description="Patterns of actions, as request:transition:*", max_length=50)]


class Webhook(Shape):
    """target: for people; the whole address is shown to nobody. model: empty: all."""

    id: str
    channel: Channel
    events: tuple[str, ...]
    target: str
    model: str
    description: str
    state: WebhookState
    created_by: str
    created_at: datetime


class NewWebhook(Body):
    channel: Channel
    address: Annotated[str, Field(max_length=2048, description="A URL; of e-mail, one recipient.")]
    events: Patterns
    model: Text = ""
    description: Text = ""
    authorization: Annotated[str, Field(max_length=1000, description="What the receiver wants in this header.")] = ""


class ChangedWebhook(Body):
    """What is left out stays as it is."""

    address: Annotated[str, Field(max_length=2048)] | None = None
    events: Patterns | None = None
    model: Text | None = None
    description: Text | None = None
    state: WebhookState | None = None
    authorization: Annotated[str, Field(max_length=1000)] | None = None


class KeyShown(Shape):
    """key: what HTTP receivers verify signatures with, shown this one time; empty of other channels."""

    webhook: Webhook
    key: str


class Tried(Shape):
    """status: of HTTP; 250 of a mail that was taken. body: its first bytes."""

    status: int
    body: str


class Delivery(Shape):
    """event: its place in the audit log. next_at: Unix seconds of the next attempt, while it waits."""

    id: str
    webhook: str
    event: int
    state: DeliveryState
    created_at: datetime
    next_at: float
    attempts: int
    answer: str
    ended_at: datetime | None


class Due(Shape):
    """How many are sent anew."""

    due: int
