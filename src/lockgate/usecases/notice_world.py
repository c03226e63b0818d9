"""What notices need of the world, beside what every use case needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lockgate.domain.events import Action, Event, Happened
from lockgate.domain.notices import DeliveryState, Webhook
from lockgate.domain.people import Actor
from lockgate.kernel.errors import NotFound
from lockgate.ports.post import Mail, Post
from lockgate.ports.secrets import WebhookSecret, WebhookSecrets
from lockgate.ports.state import DELIVERIES, WEBHOOKS, Reader, Writer


@dataclass(frozen=True, slots=True)
class NoticeWorld:
    """site: the address under which people reach the pages, for links; "": unknown, and there are none."""

    secrets: WebhookSecrets
    post: Post
    mail: Mail
    site: str = ""


def webhook_by(tx: Reader, webhook_id: str) -> Webhook:
    found = tx.get(WEBHOOKS, webhook_id)
    if found is None:
        raise NotFound(f"there is no webhook {webhook_id!r:.60}", hint="See them all: lockgate webhook list")
    return found


def secret_of(kept: Mapping[str, WebhookSecret], webhook: Webhook) -> WebhookSecret:
    """What `kept` has of it.

    Raises:
        NotFound: another home that shares this state has it.
    """
    found = kept.get(webhook.id)
    if found is None:
        raise NotFound(f"the secrets of webhook {webhook.id} are not in this home", hint="Copy secrets/webhooks.json here.")
    return found


def keep_secret(tx: Writer, notices: NoticeWorld, webhook: Webhook, secret: WebhookSecret) -> None:
    """Within the transaction that sets the webhook, so that writers take turns. What no webhook needs any more goes."""
    known = {one.id for one in tx.find(WEBHOOKS)}
    kept = {key: one for key, one in notices.secrets.read().items() if key in known}
    notices.secrets.write({**kept, webhook.id: secret})


def note_change(tx: Writer, before: Webhook | None, webhook: Webhook, actor: Actor, now: datetime, **beside: str) -> Event:
    """The event of a webhook that was set. beside: what else there is to say of it, without secrets."""
    details = {"from": _shown(before) if before else None, "to": {**_shown(webhook), **beside}}
    action = Action.WEBHOOK_SET
    return tx.record(Happened(action, actor.name, actor.authenticated, now, webhook.id, webhook.model, details=details))


def end_waiting(tx: Writer, webhook: Webhook, now: datetime) -> None:
    """What waits for a webhook that is disabled is dead: when it is enabled again, nobody wants to hear of that any more."""
    waiting = tx.find(DELIVERIES, webhook=webhook.id, state=DeliveryState.WAITING.value)
    why = "its webhook was disabled before it was delivered"
    tx.put_all(DELIVERIES, [replace(one, state=DeliveryState.DEAD, ended_at=now, answer=why) for one in waiting])


def _shown(webhook: Webhook) -> dict[str, Any]:
    return {
        "channel": webhook.channel.value,
        "events": list(webhook.events),
        "target": webhook.target,
        "description": webhook.description,
        "state": webhook.state.value,
    }
