"""`/mlflow/registry-webhooks`: who is told of what. What is sent, and how it is signed, is as for any other webhook."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lockgate.domain.events import Action
from lockgate.domain.notices import Channel, Webhook, WebhookState
from lockgate.entrypoints.api.mlflow.callers import Administrator, Viewer
from lockgate.entrypoints.api.mlflow.pages import page
from lockgate.entrypoints.api.mlflow.shapes import webhooks as shapes
from lockgate.entrypoints.api.rest.webhooks import NoticesHere
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.kernel.errors import Invalid
from lockgate.ports.state import WEBHOOKS
from lockgate.usecases.remove_webhook import remove_webhook
from lockgate.usecases.set_webhook import WantedWebhook, WebhookChanges, add_webhook, change_webhook
from lockgate.usecases.try_webhook import try_webhook

router = APIRouter(prefix="/mlflow/registry-webhooks")


@router.post("/create")
def create(desk: DeskHere, notices: NoticesHere, actor: Administrator, sent: shapes.NewWebhookSent) -> Any:
    """x_key: what the receiver verifies signatures with, shown this one time."""
    if sent.job_spec is not None or sent.http_url_spec is None:
        raise Invalid("http_url_spec expected: Lockgate tells addresses, and starts no jobs")
    if sent.status not in (None, "ACTIVE"):
        raise Invalid(f"status {sent.status!r} found, ACTIVE expected", hint="Make it, and update its status")
    spec = shapes.checked(sent.http_url_spec)
    wanted = WantedWebhook(
        Channel.HTTP, spec.url, shapes.patterns(sent.events), sent.model_name, sent.description, spec.secret, spec.authorization
    )
    made = add_webhook(desk.world, notices, actor, wanted)
    return {"webhook": shapes.webhook_object(made.webhook), "x_key": made.key}


@router.get("/list")
def listed(desk: DeskHere, _viewer: Viewer, sent: shapes.WebhookListingSent) -> Any:
    wanted = set(shapes.patterns(sent.events)) if sent.events else None
    with desk.world.state.read() as tx:
        found = [one for one in tx.find(WEBHOOKS) if _fits(one, sent.model_name, wanted)]
    return page(found, sent, "webhooks", shapes.webhook_object)


@router.patch("/update")
def update(desk: DeskHere, notices: NoticesHere, actor: Administrator, sent: shapes.WebhookEditSent) -> Any:
    spec = shapes.checked(sent.http_url_spec) if sent.http_url_spec else None
    if spec is not None and spec.secret:
        raise Invalid("secret found, none expected: keys are not set but changed", hint=f"lockgate webhook rotate {sent.id}")
    changes = WebhookChanges(
        address=spec.url if spec else None,
        events=shapes.patterns(sent.events) if sent.events else None,
        description=sent.description,
        state=_state(sent.status) if sent.status else None,
        authorization=spec.authorization if spec else None,
    )
    return {"webhook": shapes.webhook_object(change_webhook(desk.world, notices, actor, sent.id, changes))}


@router.delete("/delete")
def delete(desk: DeskHere, notices: NoticesHere, actor: Administrator, sent: shapes.OfWebhookSent) -> dict[str, Any]:
    remove_webhook(desk.world, notices, actor, sent.id)
    return {}


@router.post("/test")
def trial(desk: DeskHere, notices: NoticesHere, actor: Administrator, sent: shapes.WebhookTrialSent) -> Any:
    action = shapes.EXAMPLES[shapes.known(sent.event)] if sent.event else Action.WEBHOOK_SET
    tried = try_webhook(desk.world, notices, actor, sent.id, action)
    return {"status_code": tried.status, "body": tried.body}


def _fits(webhook: Webhook, model: str, patterns: set[str] | None) -> bool:
    return (not model or webhook.model == model) and (patterns is None or not patterns.isdisjoint(webhook.events))


def _state(status: str) -> WebhookState:
    if status not in ("ACTIVE", "DISABLED"):
        raise Invalid(f"status {status!r} found, ACTIVE or DISABLED expected", hint="To try one, use `test`")
    return WebhookState(status.lower())
