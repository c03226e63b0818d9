"""What people write beside a model or a version: comments, a description, tags. Nothing is decided by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Comment:
    id: str
    model: str
    version: int
    by: str
    at: datetime
    text: str
    edited_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notes:
    """version: 0: of the model itself."""

    model: str
    version: int
    changed_at: datetime
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
