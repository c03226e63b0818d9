"""A gate that counts as passed although it did not: who says so, until when, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Waiver:
    """rule: as the project file writes it; "": every rule of the gate. version: 0: every version of the model."""

    id: str
    model: str
    gate: str
    by: str
    why: str
    granted_at: datetime
    until: datetime
    rule: str = ""
    version: int = 0
    withdrawn_at: datetime | None = None
