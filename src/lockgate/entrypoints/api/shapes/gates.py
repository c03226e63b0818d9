"""Evidence of gates, and waivers, as the REST API answers and takes them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from lockgate.entrypoints.api.shapes.basics import Body, Gate, Name, Shape

Why = Annotated[str, StringConstraints(max_length=4_000)]


class GateEvidence(Shape):
    """All digests as `sha256:…`; a number without a bound is null."""

    model: str
    run: str
    judged_at: datetime
    release: str
    package: str
    gates: list[Gate]
    evaluation: str | None
    reference: str | None
    data: dict[str, str]
    metrics: dict[str, float]
    commit: str | None
    dirty: bool


class Waiver(Shape):
    """rule: empty: every rule of the gate. version: 0: every version. It holds from granted_at to `until`, unless withdrawn."""

    id: str
    model: str
    gate: str
    rule: str
    version: int
    by: str
    why: str
    granted_at: datetime
    until: datetime
    withdrawn_at: datetime | None


class NewWaiver(Body):
    model: Name
    gate: Name
    why: Why
    until: AwareDatetime = Field(description="With a time zone, and at most as far away as the policy allows.")
    rule: Annotated[str, StringConstraints(max_length=1_000)] = Field("", description="As the project file writes it.")
    version: int = Field(0, ge=0)


class Withdrawal(Body):
    why: Why
