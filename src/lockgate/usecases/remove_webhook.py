"""Tell somebody no more."""

from __future__ import annotations

from lockgate.domain.events import Action, Happened
from lockgate.domain.notices import Webhook
from lockgate.domain.people import Actor
from lockgate.ports.state import DELIVERIES, WEBHOOKS
from lockgate.usecases.notice_world import NoticeWorld, webhook_by
from lockgate.usecases.world import World


def remove_webhook(world: World, notices: NoticeWorld, actor: Actor, webhook_id: str) -> Webhook:
    """With its deliveries, and then with its secrets: killed in between, the next change of any webhook removes those.

    Raises:
        NotFound: no such webhook.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        webhook = webhook_by(tx, webhook_id)
        for delivery in tx.find(DELIVERIES, webhook=webhook.id):
            tx.remove(DELIVERIES, delivery.id)
        tx.remove(WEBHOOKS, webhook.id)
        details = {"target": webhook.target}
        action = Action.WEBHOOK_REMOVED
        tx.record(Happened(action, actor.name, actor.authenticated, now, webhook.id, webhook.model, details=dict(details)))
    with world.state.write():
        kept = dict(notices.secrets.read())
        if kept.pop(webhook.id, None) is not None:
            notices.secrets.write(kept)
    return webhook
