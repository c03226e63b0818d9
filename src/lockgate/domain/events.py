"""Everything that happened, named `subject:thing:action`. The audit log is this sequence, and it is hash-chained."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from json.encoder import encode_basestring as _quoted
from typing import Any, NamedTuple

from lockgate.kernel.digest import canonical_json, digest_bytes
from lockgate.kernel.errors import Corrupt

GENESIS = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Up to this event the log was what `hash` covers, says whoever holds the key. signature: base64. key: its fingerprint."""

    seq: int
    hash: str
    at: datetime
    key: str
    signature: str


class Action(StrEnum):
    RUN_STARTED = "run:pipeline:started"
    RUN_REFUSED = "run:pipeline:refused"
    RUN_FAILED = "run:pipeline:failed"
    MODEL_CREATED = "model:name:created"
    VERSION_REGISTERED = "model:version:registered"
    VERSION_SIGNED = "model:version:signed"
    VERSION_SCANNED = "model:version:scanned"
    VERSION_PACKAGED = "model:version:packaged"
    REQUEST_CREATED = "request:transition:created"
    REQUEST_APPROVED = "request:transition:approved"
    REQUEST_REJECTED = "request:transition:rejected"
    REQUEST_CANCELLED = "request:transition:cancelled"
    REQUEST_EXPIRED = "request:transition:expired"
    APPROVAL_VOIDED = "request:approval:voided"
    POLICY_SET = "policy:rules:set"
    GLASS_BROKEN = "policy:break-glass:opened"
    GLASS_MENDED = "policy:break-glass:closed"
    WAIVER_GRANTED = "gate:waiver:granted"
    WAIVER_WITHDRAWN = "gate:waiver:withdrawn"
    POLICY_WITHHELD = "policy:transition:withheld"
    STAGE_APPLIED = "model:stage:applied"
    STAGE_ARCHIVED = "model:stage:archived"
    ALIAS_SET = "model:alias:set"
    ALIAS_REMOVED = "model:alias:removed"
    COMMENT_ADDED = "model:comment:added"
    COMMENT_EDITED = "model:comment:edited"
    COMMENT_DELETED = "model:comment:deleted"
    NOTES_SET = "model:notes:set"
    VERSION_DELETED = "model:version:deleted"
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
    KEY_REVOKED = "access:signing-key:revoked"
    USER_SET = "access:user:set"
    LOGIN_BEGUN = "access:login:begun"
    LOGIN_ENDED = "access:login:ended"
    WEBHOOK_SET = "notice:webhook:set"
    WEBHOOK_REMOVED = "notice:webhook:removed"
    DELIVERY_DEAD = "notice:delivery:dead"
    DELIVERY_REPLAYED = "notice:delivery:replayed"


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


class Written(NamedTuple):
    """An event as stores keep it, in the order of their columns. at: ISO 8601. details: their canonical JSON."""

    seq: int
    at: str
    action: str
    actor: str
    authenticated: bool
    subject: str
    model: str
    version: int
    details: str
    prev_hash: str
    hash: str


def written(event: Event) -> Written:
    happened = event.happened
    return Written(
        event.seq,
        happened.at.isoformat(),
        happened.action.value,
        happened.actor,
        happened.authenticated,
        happened.subject,
        happened.model,
        happened.version,
        canonical_json(happened.details).decode(),
        event.prev_hash,
        event.hash,
    )


def chained(seq: int, happened: Happened, prev_hash: str) -> Event:
    """The event with its place in the chain: the hash covers the place, the content and the hash before."""
    return Event(seq, happened, prev_hash, chain_hash(seq, happened, prev_hash))


def chain_hash(seq: int, happened: Happened, prev_hash: str) -> str:
    return written_hash(written(Event(seq, happened, prev_hash, "")))


def written_hash(row: Written) -> str:
    """What `row.hash` should be: the digest of the canonical JSON of all else. 2 µs: no event is read for it, only its columns.

    The details' text is taken as it is, so that they need no parsing. It cannot borrow from its neighbours: behind it stand
    fields of which each says by itself where it ends, so the whole has one reading only.

    Raises:
        Corrupt: a column holds what it cannot hold, as a database that was altered by hand may.
    """
    seq, at, action, actor, authenticated, subject, model, version, details, prev_hash, _ = row
    try:
        text = (
            f'{{"action":{_quoted(action)},"actor":{_quoted(actor)},"at":{_quoted(at)},'
            f'"authenticated":{_SPELT[authenticated]},"details":{details},"model":{_quoted(model)},"prev":{_quoted(prev_hash)},'
            f'"seq":{seq},"subject":{_quoted(subject)},"version":{_WHOLE[type(version)](version)}}}'
        )
    except (TypeError, KeyError) as error:
        raise Corrupt(f"event {seq} cannot be read: {error}", hint="It was altered: see `lockgate audit verify`.") from error
    return digest_bytes(text.encode())


_SPELT = {False: "false", True: "true"}
_WHOLE = {int: str}  # and nothing else: SQLite's columns hold whatever is put there
