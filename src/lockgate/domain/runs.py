"""One execution of a pipeline, from a commit to (at best) a registered version."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from lockgate.domain.verdicts import GateResult


class RunStatus(StrEnum):
    RUNNING = "running"
    REGISTERED = "registered"  # all gates passed, a version exists
    REFUSED = "refused"  # a check or a gate said no
    FAILED = "failed"  # something broke
    INTERRUPTED = "interrupted"  # the process went away; `run` again resumes from the finished steps


class StepStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    REUSED = "reused"  # same fingerprint: the earlier output stands
    FAILED = "failed"
    SKIPPED = "skipped"  # something it needs failed


@dataclass(frozen=True, slots=True)
class StepRun:
    """What happened to one pipeline step, check or contract in a run. `log` is a path inside the home."""

    name: str
    kind: str  # check | data | step | package
    status: StepStatus = StepStatus.PENDING
    fingerprint: str | None = None
    output: str | None = None  # digest
    started_at: datetime | None = None
    seconds: float | None = None
    log: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    id: str
    model: str
    status: RunStatus
    created_at: datetime
    actor: str
    author: str  # of the commit
    cause: str  # "person", or what triggered it
    commit: str | None = None
    dirty: bool = False
    params: dict[str, Any] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)  # name → digest
    steps: tuple[StepRun, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    gates: tuple[GateResult, ...] = ()
    version: int | None = None
    error: str | None = None
    finished_at: datetime | None = None
    author_email: str = ""


@dataclass(frozen=True, slots=True)
class StepOutput:
    """A finished step, found again by its fingerprint. A hit needs the artifact present with this digest."""

    fingerprint: str
    step: str
    output: str
    run: str
    why: dict[str, str] = field(default_factory=dict)  # the parts that the fingerprint was made of, for `why`
