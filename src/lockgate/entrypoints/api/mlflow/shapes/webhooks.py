"""Webhooks as Databricks knows them. Of its events those have a meaning here that one pattern of ours says exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from lockgate.domain.events import Action
from lockgate.domain.notices import Webhook
from lockgate.entrypoints.api.mlflow.sent import sent
from lockgate.entrypoints.api.mlflow.shapes.asked import Listing
from lockgate.entrypoints.api.mlflow.shapes.moments import milliseconds
from lockgate.kernel.errors import Invalid

# Of each event, an action by which it is tried.
EXAMPLES = {
    "REGISTERED_MODEL_CREATED": Action.MODEL_CREATED,
    "MODEL_VERSION_CREATED": Action.VERSION_REGISTERED,
    "MODEL_VERSION_TAG_SET": Action.NOTES_SET,
    "MODEL_VERSION_TRANSITIONED_STAGE": Action.STAGE_APPLIED,
    "TRANSITION_REQUEST_CREATED": Action.REQUEST_CREATED,
    "COMMENT_CREATED": Action.COMMENT_ADDED,
}
_PATTERNS = {name: action.value for name, action in EXAMPLES.items()} | {"MODEL_VERSION_TRANSITIONED_STAGE": "model:stage:*"}
_NAMES = {pattern: name for name, pattern in _PATTERNS.items()}


class UrlSpec(BaseModel):
    url: str
    authorization: str = ""
    enable_ssl_verification: bool = True
    secret: str = ""


class NewWebhook(BaseModel):
    events: list[str]
    model_name: str = ""
    description: str = ""
    status: str | None = None
    http_url_spec: UrlSpec | None = None
    job_spec: dict[str, Any] | None = None


class OfWebhook(BaseModel):
    id: str


class WebhookEdit(OfWebhook):
    events: list[str] = Field(default_factory=list)
    description: str | None = None
    status: str | None = None
    http_url_spec: UrlSpec | None = None


class WebhookTrial(OfWebhook):
    event: str | None = None


class WebhookListing(Listing):
    model_name: str = ""
    events: Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)] = Field(
        default_factory=list
    )


NewWebhookSent = Annotated[NewWebhook, sent(NewWebhook)]
OfWebhookSent = Annotated[OfWebhook, sent(OfWebhook)]
WebhookEditSent = Annotated[WebhookEdit, sent(WebhookEdit)]
WebhookTrialSent = Annotated[WebhookTrial, sent(WebhookTrial)]
WebhookListingSent = Annotated[WebhookListing, sent(WebhookListing)]


def known(event: str) -> str:
    """
    Raises:
        Invalid: no pattern of ours says this event.
    """  # noqa: D212 - there is nothing else to say
    if event in _PATTERNS:
        return event
    hint = "For one stage alone take the event of all, and look at `to` in its details"
    raise Invalid(f"event {event[:100]!r} found, one of {', '.join(_PATTERNS)} expected", hint=hint)


def patterns(events: Sequence[str]) -> tuple[str, ...]:
    return tuple(_PATTERNS[known(event)] for event in events)


def checked(spec: UrlSpec) -> UrlSpec:
    if not spec.enable_ssl_verification:
        raise Invalid("enable_ssl_verification: false found, true expected: certificates are always verified")
    return spec


def webhook_object(webhook: Webhook) -> dict[str, Any]:
    """The address is shown to nobody again; its host is. x_events: also those that Databricks has no name for."""
    at = milliseconds(webhook.created_at)
    return {
        "id": webhook.id,
        "events": [_NAMES[pattern] for pattern in webhook.events if pattern in _NAMES],
        "x_events": list(webhook.events),
        "creation_timestamp": at,
        "last_updated_timestamp": at,
        "description": webhook.description,
        "status": webhook.state.value.upper(),
        "http_url_spec": {"url": webhook.target, "enable_ssl_verification": True},
        **({"model_name": webhook.model} if webhook.model else {}),
    }
