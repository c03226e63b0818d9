"""Models, versions, and the requests to move them, as the REST API answers and takes them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from lockgate.domain.models import RequestState, Stage, Vote
from lockgate.entrypoints.api.shapes.basics import Body, Comment, Gate, Name, Segment, Shape
from lockgate.entrypoints.api.shapes.learning import Learned


class Model(Shape):
    name: str
    created_at: datetime
    latest_version: int
    aliases: dict[str, int] = Field(default_factory=dict)


class Version(Shape):
    """learned: what a checkpoint of online learning came from; null for any other version."""

    model: str
    version: int
    digest: str
    stage: Stage
    run: str
    author: str
    created_at: datetime
    dirty: bool
    metrics: dict[str, float]
    gates: list[Gate]
    evidence: str | None
    evaluation: str | None
    reference: str | None
    learned: Learned | None


class VersionInFull(Version):
    """With the package's manifest; null where the package is not in the store."""

    manifest: dict[str, Any] | None


class Decision(Shape):
    by: str
    vote: Vote
    at: datetime
    comment: str


class Request(Shape):
    """segment: the part of Production's traffic whose champion it is to be; empty: of all that have none of their own. by: the
    header or field that tells it. binding: digest of all that an answer goes by: the package, its data,
    the evidence and the rules.
    """

    id: str
    model: str
    version: int
    digest: str
    to_stage: Stage
    requester: str
    created_at: datetime
    comment: str
    state: RequestState
    decisions: list[Decision]
    closed_at: datetime | None
    segment: str
    by: str
    binding: str
    expires_at: datetime | None


class Approvals(Shape):
    """have: yes that count now. roles: groups of roles; whoever decides has one of each."""

    have: int
    need: int
    roles: list[list[str]]


class RequestInFull(Request):
    """With how many yes it has and needs by the rules of now, and whose."""

    approvals: Approvals


Seen = Annotated[
    str | None,
    Field(description="Digest of the version, or a request's `binding`, as the caller saw it; 409 if it is another one now."),
]


class NewRequest(Body):
    model: Name
    version: int = Field(ge=1)
    to_stage: Stage
    comment: Comment = ""
    segment: Segment = Field(None, description="Of Production: the part of the traffic whose champion it is to be.")
    if_digest: Seen = None


class Verdict(Body):
    comment: Comment = ""


class Approval(Verdict):
    if_digest: Seen = None


class NewComment(Body):
    text: Annotated[str, StringConstraints(min_length=1, max_length=65_535)]
