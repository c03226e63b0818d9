"""The course of learning: how far it may go in one turn, when a checkpoint is due, and what follows from another champion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from lockgate.domain.learning import Learning, LearningState
from lockgate.domain.models import ModelVersion
from lockgate.domain.rollouts import Plan, Strategy
from lockgate.stages.deliver.online.alarm import unsuspected


def begun(model: str, course: str, base: int, at: int) -> Learning:
    """A course that begins with the version `base` and the row `at`."""
    return unsuspected(Learning(model, course, base, at, at, base, at, base))


def stopped(learning: Learning, by: str, reason: str, now: datetime) -> Learning:
    return replace(learning, state=LearningState.STOPPED, changed_at=now, changed_by=by, reason=reason)


def due_at(learning: Learning, every: int) -> int:
    """Place of the row before which the next checkpoint is made. Where `every` was lowered meanwhile, that is now."""
    return max(learning.learned, learning.checkpoint_at + every)


def is_due(learning: Learning, every: int) -> bool:
    return learning.learned >= learning.checkpoint_at + every


def of_course(version: ModelVersion, learning: Learning) -> bool:
    """Whether the version is a checkpoint of the course."""
    return version.learned is not None and version.learned.course == learning.course


def goes_on(learning: Learning, champion: ModelVersion, *, came_back: bool) -> bool:
    """Whether the course goes on under this champion: the one that it knows, or its own checkpoint that evidence brought in.

    came_back: by a roll-back; then what was learned since is not wanted.
    """
    return champion.version == learning.champion or (of_course(champion, learning) and not came_back)


def tainted(version: ModelVersion, learning: Learning) -> bool:
    """Whether it learned rows of the course from `clean` on."""
    return version.learned is not None and of_course(version, learning) and version.learned.end > learning.clean


def way_back(learning: Learning, stood: Iterable[ModelVersion]) -> ModelVersion | None:
    """The first that learned nothing that is suspected. stood: what was in Production before, the newest first."""
    return next((one for one in stood if not tainted(one, learning)), None)


def plan_of(plan: Plan, version: ModelVersion, learning: Learning | None) -> Plan:
    """By which plan the version comes in where the project file says `plan`.

    Under `online` evidence brings in the running course's checkpoints; what people bring in replaces, and begins a course.
    """
    own = learning is not None and learning.state is LearningState.OPEN and of_course(version, learning)
    return plan if plan.strategy is not Strategy.ONLINE or own else replace(plan, strategy=Strategy.REPLACE)
