"""Nouns of deciding in company with sensible defaults, as in `builders`: people, policy, waivers, remarks, webhooks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lockgate.domain.access import AccessToken, Login, Scope, User
from lockgate.domain.events import Checkpoint
from lockgate.domain.models import Stage
from lockgate.domain.notices import Channel, Delivery, DeliveryState, Webhook
from lockgate.domain.policy import BrokenGlass, Edge, Policy, PolicyRecord, StageRule
from lockgate.domain.remarks import Comment, Notes
from lockgate.domain.waivers import Waiver
from lockgate.testing.builders import ANNA, BEN, MODEL, digest
from lockgate.testing.clock import START


def user(name: str = ANNA.name, **fields: Any) -> User:
    return User(**{"name": name, "created_at": START, **fields})


def access_token(**fields: Any) -> AccessToken:
    defaults = {"id": "token-1", "user": ANNA.name, "name": "ci", "hash": digest("token"), "scopes": (Scope.READ, Scope.WRITE)}
    return AccessToken(**{**defaults, "created_at": START, "expires_at": START + timedelta(days=30), **fields})


def login(**fields: Any) -> Login:
    times = {"created_at": START, "expires_at": START + timedelta(hours=12), "seen_at": START}
    return Login(**{"id": digest("cookie"), "user": ANNA.name, "scopes": tuple(Scope), **times, **fields})


def policy(**fields: Any) -> Policy:
    """Two approvers for Production, none of them the requester or the author."""
    production = StageRule(need=2, roles=("approvers",), excluded=("requester", "author"))
    defaults: dict[str, Any] = {"roles": {"approvers": ("ben", "carl", "dora")}, "stages": {Stage.PRODUCTION.value: production}}
    return Policy(**{**defaults, **fields})


def policy_record(**fields: Any) -> PolicyRecord:
    defaults = {"policy": policy(), "text": "roles: {}", "digest": digest("policy"), "set_by": "olga", "set_at": START}
    return PolicyRecord(**{**defaults, **fields})


def edge(from_stage: Stage | None = None, to_stage: Stage = Stage.STAGING) -> Edge:
    return Edge(from_stage, to_stage)


def broken_glass(**fields: Any) -> BrokenGlass:
    defaults = {"id": "glass-1", "by": BEN.name, "why": "the champion does harm", "opened_at": START}
    return BrokenGlass(**{**defaults, "until": START + timedelta(hours=1), **fields})


def waiver(**fields: Any) -> Waiver:
    defaults = {"id": "waiver-1", "model": MODEL, "gate": "quality", "by": BEN.name, "why": "known, mended next week"}
    return Waiver(**{**defaults, "granted_at": START, "until": START + timedelta(days=7), **fields})


def comment(**fields: Any) -> Comment:
    return Comment(**{"id": "comment-1", "model": MODEL, "version": 1, "by": ANNA.name, "at": START, "text": "hm", **fields})


def notes(**fields: Any) -> Notes:
    return Notes(**{"model": MODEL, "version": 1, "changed_at": START, "description": "", "tags": {}, **fields})


def webhook(**fields: Any) -> Webhook:
    defaults = {"id": "webhook-1", "channel": Channel.HTTP, "events": ("request:transition:*",), "target": "hooks.example.org"}
    return Webhook(**{**defaults, "created_by": ANNA.name, "created_at": START, "after": 0, **fields})


def delivery(**fields: Any) -> Delivery:
    defaults = {"id": "delivery-1", "webhook": "webhook-1", "event": 1, "state": DeliveryState.WAITING}
    return Delivery(**{**defaults, "created_at": START, "next_at": START.timestamp(), **fields})


def checkpoint(**fields: Any) -> Checkpoint:
    defaults = {"seq": 1000, "hash": digest("event"), "at": START, "key": digest("key"), "signature": "AAAA"}
    return Checkpoint(**{**defaults, **fields})
