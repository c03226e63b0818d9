"""The policy, and what may be done beside it, as the REST API answers and takes them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from lockgate.domain.models import Stage
from lockgate.entrypoints.api.shapes.basics import Body, Comment, Name, Shape
from lockgate.entrypoints.api.shapes.models import Seen


class Policy(Shape):
    """digest: of the text. Where no policy is set, both are empty."""

    text: str = ""
    digest: str = ""
    set_by: str | None = None
    set_at: datetime | None = None


class NewPolicy(Body):
    text: str = Field(description="The policy file, as it is written.")
    if_digest: str | None = Field(None, description="Of the policy that the caller saw in force, empty for none; else 409.")


class BrokenGlass(Shape):
    """model: empty: versions of all models."""

    id: str
    by: str
    why: str
    opened_at: datetime
    until: datetime
    model: str


class NewGlass(Body):
    why: Comment
    model: Name | None = None


class Mended(Body):
    why: Comment = ""


class Alias(Shape):
    model: str
    name: str
    version: int


class NewAlias(Body):
    version: int = Field(ge=1)
    if_digest: Seen = None


class Move(Body):
    to_stage: Stage
    comment: Comment = ""
    archive_existing: bool = True
    if_digest: Seen = None
