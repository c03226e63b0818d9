"""Send again what was given up, or what a receiver has lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lockgate.domain.events import Action, Happened
from lockgate.domain.notices import Delivery, DeliveryState
from lockgate.domain.people import Actor
from lockgate.kernel.errors import NotFound
from lockgate.ports.state import DELIVERIES, Writer
from lockgate.usecases.notice_world import webhook_by
from lockgate.usecases.world import World


def replay_delivery(world: World, delivery_id: str, actor: Actor) -> Delivery:
    """Due at once, with all its attempts before it, under the id that it had: a receiver that has it knows it.

    Raises:
        NotFound: no such delivery.
    """
    with world.state.write() as tx:
        found = tx.get(DELIVERIES, delivery_id)
        if found is None:
            raise NotFound(f"there is no delivery {delivery_id!r:.60}", hint="See them: lockgate webhook deliveries WEBHOOK")
        _record(tx, found.id, found.webhook, 1, actor, world.clock.now())
        return _again(tx, found, world.clock.now())


def replay_dead(world: World, webhook_id: str, actor: Actor) -> int:
    """How many of the webhook's deliveries were dead, and now are due.

    Raises:
        NotFound: no such webhook.
    """
    with world.state.write() as tx:
        webhook = webhook_by(tx, webhook_id)
        dead = tx.find(DELIVERIES, webhook=webhook.id, state=DeliveryState.DEAD.value)
        for one in dead:
            _again(tx, one, world.clock.now())
        if dead:
            _record(tx, webhook.id, webhook.id, len(dead), actor, world.clock.now())
        return len(dead)


def _again(tx: Writer, delivery: Delivery, now: datetime) -> Delivery:
    due = replace(delivery, state=DeliveryState.WAITING, next_at=now.timestamp(), attempts=0, ended_at=None)
    tx.put(DELIVERIES, due)
    return due


def _record(tx: Writer, subject: str, webhook: str, deliveries: int, actor: Actor, now: datetime) -> None:
    details = {"webhook": webhook, "deliveries": deliveries}
    tx.record(Happened(Action.DELIVERY_REPLAYED, actor.name, actor.authenticated, now, subject, details=dict(details)))
