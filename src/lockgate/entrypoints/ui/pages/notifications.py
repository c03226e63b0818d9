"""Who is told of what happens, and what became of the last notices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from lockgate.domain.events import Event
from lockgate.domain.notices import Delivery, DeliveryState, Webhook
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.entrypoints.ui.render import render
from lockgate.ports.state import DELIVERIES, WEBHOOKS, Reader
from lockgate.stages.watch.notices.messages import message_of

LISTED = 100  # webhooks
LAST = 10  # deliveries of each

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Told:
    delivery: Delivery
    says: str


@dataclass(frozen=True, slots=True)
class Card:
    """last: the newest first, the dead before all others."""

    webhook: Webhook
    waiting: int
    dead: int
    last: Sequence[Told]


@router.get("/notifications")
def notifications(request: Request, desk: DeskHere) -> Response:
    with desk.world.state.read() as tx:
        cards = [_card(tx, webhook) for webhook in tx.find(WEBHOOKS, newest_first=True, limit=LISTED)]
        total = tx.count(WEBHOOKS)
    return render(request, "notifications.html", cards=cards, total=total)


def _card(tx: Reader, webhook: Webhook) -> Card:
    waiting, dead = (
        tx.count(DELIVERIES, webhook=webhook.id, state=state.value) for state in (DeliveryState.WAITING, DeliveryState.DEAD)
    )
    lost = tx.find(DELIVERIES, webhook=webhook.id, state=DeliveryState.DEAD.value, newest_first=True, limit=LAST)
    last = tx.find(DELIVERIES, webhook=webhook.id, newest_first=True, limit=LAST)
    shown = [*lost, *(one for one in last if one.state is not DeliveryState.DEAD)][:LAST]
    return Card(webhook, waiting, dead, [Told(one, message_of(_event(tx, one))) for one in shown])


def _event(tx: Reader, delivery: Delivery) -> Event:
    return tx.events(after=delivery.event - 1, limit=1)[0]
