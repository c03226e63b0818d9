"""What watching found, and what was decided about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class FindingKind(StrEnum):
    DRIFT = "drift"
    PERFORMANCE_DROP = "performance_drop"


@dataclass(frozen=True, slots=True)
class Finding:
    """`measured` holds the numbers by name; `detail` is the sentence for people."""

    id: str
    model: str
    version: int
    kind: FindingKind
    at: datetime
    detail: str
    measured: dict[str, Any] = field(default_factory=dict)


class TriggerDecision(StrEnum):
    FIRED = "fired"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class Trigger:
    """A finding asked for an action; this records what was decided, also when it was: nothing, and why."""

    id: str
    model: str
    finding: str
    action: str  # retrain | notify
    decision: TriggerDecision
    reason: str
    at: datetime
    job: str | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """The truth about one prediction, joined. The latest label of a prediction counts."""

    prediction_id: str
    model: str
    version: int
    key: int
    score: float
    label: float
    at: float
    answered_at: float


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A pipeline run that somebody or something asked for; the runner takes one at a time."""

    id: str
    model: str
    project: str  # folder
    cause: str
    state: JobState
    created_at: datetime
    commit: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    run: str | None = None
    attempts: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class WatchWindow:
    """What watching remembers of one model between ticks; `body` belongs to stages/watch."""

    model: str
    version: int
    body: dict[str, Any] = field(default_factory=dict)
