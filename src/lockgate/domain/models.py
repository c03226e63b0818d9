"""Registered models, their immutable versions, the stages they stand in, the requests to move them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from lockgate.domain.learning import Learned
from lockgate.domain.verdicts import GateResult


class Stage(StrEnum):
    NONE = "None"
    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"


CHAMPION = "champion"  # the alias that is kept in step with Production


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    name: str
    created_at: datetime
    latest_version: int = 0


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """Immutable but for its stage. `digest` pins the package, `evaluation` and `reference` are artifacts of their own."""

    model: str
    version: int
    digest: str
    run: str
    author: str
    created_at: datetime
    dirty: bool
    stage: Stage = Stage.NONE
    metrics: dict[str, float] = field(default_factory=dict)
    gates: tuple[GateResult, ...] = ()
    evidence: str | None = None  # digest: what the gates found, as a document
    evaluation: str | None = None  # digest: one row for each held-out example
    reference: str | None = None  # digest: the distribution of the training features and of the predictions
    learned: Learned | None = None  # of a checkpoint of online learning
    provenance: str = ""  # digest: the signed statement who made the package, from what; "": nobody vouches for it
    sbom: str = ""  # digest: the signed bill of materials


@dataclass(frozen=True, slots=True)
class Alias:
    model: str
    name: str
    version: int


def alias_of(segment: str) -> str:
    """The alias that names a segment's champion; of "", the one that is kept in step with Production."""
    return f"{CHAMPION}:{segment}" if segment else CHAMPION


def segment_of(alias: str) -> str:
    """The segment whose champion the alias names; "" of any other alias."""
    what, _, segment = alias.partition(":")
    return segment if what == CHAMPION else ""


class RequestState(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Vote(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Decision:
    """One person's yes or no. It speaks of what the request was bound to then; a yes to anything else counts no more."""

    by: str
    vote: Vote
    at: datetime
    comment: str = ""
    binding: str = ""


@dataclass(frozen=True, slots=True)
class TransitionRequest:
    """A question to people: may this version move to that stage? It speaks of one digest.

    binding: of all that an answer goes by: the package, its data, the gates' evidence, and the policy.
    """

    id: str
    model: str
    version: int
    digest: str
    to_stage: Stage
    requester: str
    created_at: datetime
    comment: str = ""
    state: RequestState = RequestState.OPEN
    decisions: tuple[Decision, ...] = ()
    closed_at: datetime | None = None
    segment: str = ""  # the part of the traffic whose champion it is to be; "": of all that have none of their own
    by: str = ""  # the header or field that tells the segment, as when it was asked for
    binding: str = ""
    expires_at: datetime | None = None
