"""Everything that happened, named `subject:thing:action`. The audit log is this sequence, and it is hash-chained."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from lockgate.kernel.digest import digest_json

GENESIS = "sha256:" + "0" * 64


class Action(StrEnum):
    RUN_STARTED = "run:pipeline:started"
    RUN_REFUSED = "run:pipeline:refused"
    RUN_FAILED = "run:pipeline:failed"
    VERSION_REGISTERED = "model:version:registered"
    REQUEST_CREATED = "request:transition:created"
    REQUEST_APPROVED = "request:transition:approved"
    REQUEST_REJECTED = "request:transition:rejected"
    REQUEST_CANCELLED = "request:transition:cancelled"
    POLICY_WITHHELD = "policy:transition:withheld"
    STAGE_APPLIED = "model:stage:applied"
    STAGE_ARCHIVED = "model:stage:archived"
    ALIAS_SET = "model:alias:set"
    ALIAS_REMOVED = "model:alias:removed"
    COMMENT_ADDED = "model:comment:added"
    ROLLOUT_STARTED = "rollout:plan:started"
    ROLLOUT_STEPPED = "rollout:weight:set"
    ROLLOUT_DROPPED = "rollout:arm:dropped"
    ROLLOUT_SHOWN = "rollout:preview:begun"
    ROLLOUT_AWAITING = "rollout:approval:awaited"
    ROLLOUT_APPROVED = "rollout:approval:given"
    ROLLOUT_HELD = "rollout:verdict:inconclusive"
    LABELS_MISSING = "rollout:labels:missing"
    ROLLOUT_PAUSED = "rollout:plan:paused"
    ROLLOUT_RESUMED = "rollout:plan:resumed"
    ROLLOUT_PROMOTED = "rollout:plan:promoted"
    ROLLOUT_ABORTED = "rollout:plan:aborted"
    HOLD_BEGUN = "hold:share:begun"
    HOLD_ENDED = "hold:share:ended"
    ROLLED_BACK = "model:version:rolled-back"
    LEARNING_BEGAN = "learning:course:began"
    LEARNING_STOPPED = "learning:course:stopped"
    LEARNING_RESUMED = "learning:course:resumed"
    FINDING_RECORDED = "watch:finding:recorded"
    TRIGGER_FIRED = "watch:trigger:fired"
    TRIGGER_SUPPRESSED = "watch:trigger:suppressed"
    DEPLOYMENT_SET = "project:deployment:set"
    ANSWERS_SET = "project:answers:set"
    CHAMPIONS_SET = "project:champions:set"
    TOKEN_CREATED = "access:token:created"
    TOKEN_REVOKED = "access:token:revoked"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event before it has its place in the chain. `model` and `version` let the log be read by subject."""

    action: Action
    actor: str
    authenticated: bool
    at: datetime
    subject: str  # the id of what it happened to
    model: str = ""
    version: int = 0
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    seq: int
    happened: Happened
    prev_hash: str
    hash: str


def chained(seq: int, happened: Happened, prev_hash: str) -> Event:
    """The event with its place in the chain: the hash covers the place, the content and the hash before."""
    return Event(seq, happened, prev_hash, chain_hash(seq, happened, prev_hash))


def chain_hash(seq: int, happened: Happened, prev_hash: str) -> str:
    return digest_json(
        {
            "seq": seq,
            "prev": prev_hash,
            "action": happened.action.value,
            "actor": happened.actor,
            "authenticated": happened.authenticated,
            "at": happened.at.isoformat(),
            "subject": happened.subject,
            "model": happened.model,
            "version": happened.version,
            "details": happened.details,
        },
    )
