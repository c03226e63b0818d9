"""Online learning, as the REST API answers it."""

from __future__ import annotations

from datetime import datetime

from lockgate.domain.learning import LearningState
from lockgate.domain.models import Stage
from lockgate.domain.rollouts import Phase
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.api.shapes.basics import Shape


class Learning(Shape):
    """course: id of the stretch that began with version `base` at row `began` of the log. learned: the next row to be learned.

    checkpoint: the course's last one, or the base; it had learned up to row `checkpoint_at`. rows, events: judged in this course,
    and those of them with the judged event, by the champion's score. clean: row up to which nothing spoke against the lessons.
    """

    model: str
    state: LearningState
    changed_at: datetime | None
    changed_by: str
    reason: str
    course: str
    base: int
    began: int
    learned: int
    checkpoint: int
    checkpoint_at: int
    champion: int
    clean: int
    rows: int
    events: int


class Learned(Shape):
    """first, end: rows of the log that were learned since `parent`, `end` not among them. lessons: digest of what holds them."""

    course: str
    parent: int
    first: int
    end: int
    lessons: str


class Judged(Shape):
    id: str
    version: int
    baseline: int | None
    phase: Phase
    verdict: JudgeVerdict


class Checkpoint(Shape):
    """event_rate: of the judged event among its rows, by what it said before it learned each. rollout: null where it had none."""

    version: int
    at: datetime
    stage: Stage
    learned: Learned
    event_rate: float | None
    rollout: Judged | None
    says: str


class Online(Shape):
    """every: rows between two checkpoints. at_most: the rate of the judged event above which lessons are not believed.

    run_length: rows, at least and on average, until an alarm without reason.
    """

    every: int
    at_most: float
    run_length: float


class LearningInFull(Shape):
    """waiting: rows in the log that are not learned yet. until: rows to the next checkpoint, null where none is to come.

    alarm: how far the evidence against the stream is on its way to an alarm, 0..1, as logarithms. checkpoints: the newest first.
    """

    learning: Learning
    says: str
    waiting: int
    until: int | None
    online: Online | None
    judged: Judged | None
    rate: float | None
    alarm: float
    checkpoints: list[Checkpoint]
