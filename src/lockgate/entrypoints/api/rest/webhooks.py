"""Who is told of what happens, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request

from lockgate.domain.notices import DeliveryState
from lockgate.entrypoints.api.people import AdminNamed
from lockgate.entrypoints.api.rest.paging import WindowAsked, page
from lockgate.entrypoints.api.shapes.basics import Page
from lockgate.entrypoints.api.shapes.notices import ChangedWebhook, Delivery, Due, KeyShown, NewWebhook, Tried, Webhook
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.kernel.errors import Unavailable
from lockgate.ports.state import DELIVERIES, WEBHOOKS
from lockgate.usecases.notice_world import NoticeWorld, webhook_by
from lockgate.usecases.remove_webhook import remove_webhook
from lockgate.usecases.replay_deliveries import replay_dead, replay_delivery
from lockgate.usecases.set_webhook import WantedWebhook, WebhookChanges, add_webhook, change_webhook, rotate_key
from lockgate.usecases.try_webhook import try_webhook

router = APIRouter(prefix="/api/v1", tags=["webhooks"])


async def notices_of(request: Request) -> NoticeWorld:
    found = cast("NoticeWorld | None", request.app.state.notices)
    if found is None:
        raise Unavailable("this server has no place for the secrets of webhooks", hint="Use the one that `lockgate up` starts.")
    return found


NoticesHere = Annotated[NoticeWorld, Depends(notices_of)]


@router.get("/webhooks", response_model=Page[Webhook])
def webhooks(desk: DeskHere, asked: WindowAsked) -> Any:
    """Who is told of what."""
    return page(desk, WEBHOOKS, asked)


@router.get("/webhooks/{id}", response_model=Webhook)
def webhook(desk: DeskHere, id: str) -> Any:  # noqa: A002 - the path's own word
    """One webhook."""
    with desk.world.state.read() as tx:
        return webhook_by(tx, id)


@router.post("/webhooks", status_code=201, response_model=KeyShown)
def add(desk: DeskHere, notices: NoticesHere, actor: AdminNamed, body: NewWebhook) -> Any:
    """Tell somebody of events from now on. The key that verifies signatures is shown this one time."""
    return add_webhook(desk.world, notices, actor, WantedWebhook(**body.model_dump()))


@router.patch("/webhooks/{id}", response_model=Webhook)
def change(desk: DeskHere, notices: NoticesHere, actor: AdminNamed, id: str, body: ChangedWebhook) -> Any:  # noqa: A002
    """Change it. One that is enabled again is told what happens from then on."""
    return change_webhook(desk.world, notices, actor, id, WebhookChanges(**body.model_dump()))


@router.delete("/webhooks/{id}", response_model=Webhook)
def remove(desk: DeskHere, notices: NoticesHere, actor: AdminNamed, id: str) -> Any:  # noqa: A002
    """Tell it nothing more. Its deliveries go with it."""
    return remove_webhook(desk.world, notices, actor, id)


@router.post("/webhooks/{id}/rotate", response_model=KeyShown)
def rotate(desk: DeskHere, notices: NoticesHere, actor: AdminNamed, id: str) -> Any:  # noqa: A002
    """Another key, shown this one time; for a day notices are signed with both."""
    return rotate_key(desk.world, notices, actor, id)


@router.post("/webhooks/{id}/test", response_model=Tried)
def trial(desk: DeskHere, notices: NoticesHere, actor: AdminNamed, id: str) -> Any:  # noqa: A002
    """Send a trial notice now, and say what the receiver said."""
    return try_webhook(desk.world, notices, actor, id)


@router.get("/webhooks/{id}/deliveries", response_model=Page[Delivery])
def deliveries(desk: DeskHere, asked: WindowAsked, id: str, state: DeliveryState | None = None) -> Any:  # noqa: A002
    """What became of the events that it was to be told."""
    return page(desk, DELIVERIES, asked, webhook=id, state=state.value if state else None)


@router.post("/webhooks/{id}/replay", response_model=Due)
def replay_all(desk: DeskHere, actor: AdminNamed, id: str) -> Any:  # noqa: A002
    """Send anew all that was given up."""
    return Due(due=replay_dead(desk.world, id, actor))


@router.post("/deliveries/{id}/replay", response_model=Delivery)
def replay(desk: DeskHere, actor: AdminNamed, id: str) -> Any:  # noqa: A002
    """Send one delivery anew, under the id that it had."""
    return replay_delivery(desk.world, id, actor)
