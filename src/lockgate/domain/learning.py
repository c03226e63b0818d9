"""Models that learn online: the log of their lessons, how far each has learned, and the checkpoints that become versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Online:
    """How a model learns while it serves.

    every: rows between two checkpoints. at_most: rate of the judged event (see JudgePolicy.label_event), by what the champion
    scored before anybody learned the row, above which the stream of lessons is not believed any more. run_length: rows on
    average, at least, until an alarm without reason.
    """

    every: int = 1000
    at_most: float = 0.5
    run_length: float = 1e7


@dataclass(frozen=True, slots=True)
class LoggedLesson:
    """One request's lesson in the model's write-ahead log. Rows are counted from 0, through all lessons.

    seq: the place of its first row. inputs: columns, as the runtime sees them.
    """

    model: str
    seq: int
    id: str
    version: int
    inputs: dict[str, list[Any]]
    labels: tuple[float, ...]
    at: float  # Unix seconds: when it was taken in


@dataclass(frozen=True, slots=True)
class LessonLog:
    """How long a model's log is: the place of the row that comes next. What checkpoints hold is not kept in the log itself."""

    model: str
    rows: int = 0


class LearningState(StrEnum):
    OPEN = "open"
    STOPPED = "stopped"  # by an alarm, or by a person: lessons are refused


@dataclass(frozen=True, slots=True)
class Learned:
    """What a checkpoint's version came from, beside its parent's state.

    course: id. parent: version. first, end: rows of the model's log that it has learned since its parent, `end` not among them.
    lessons: digest of the artifact that holds them. From parent and lessons it can be made again, bit for bit.
    """

    course: str
    parent: int
    first: int
    end: int
    lessons: str


@dataclass(frozen=True, slots=True)
class Learning:
    """Where the learning of one model stands. There is one for each model that learns online.

    course: id of the stretch of learning that began with the version `base`, by row `began` of the log; "" where none could
    begin, as `reason` says. learned: place of the next row to be learned. checkpoint: the course's last one, or the base; it had
    learned up to `checkpoint_at`. champion: the version in Production when the last turn ended. bets: logarithms of the alarm's
    detectors. cusums, starts: for each bet, the logarithm of what it has won since it last had nothing, and the place of the row
    by which that began. clean: place of the row up to which nothing spoke against the lessons: what was learned from there on is
    suspected once there is an alarm.
    """

    model: str
    course: str
    base: int
    began: int
    learned: int
    checkpoint: int
    checkpoint_at: int
    champion: int
    bets: tuple[float, ...] = ()
    cusums: tuple[float, ...] = ()
    starts: tuple[int, ...] = ()
    clean: int = 0
    state: LearningState = LearningState.OPEN
    changed_at: datetime | None = None  # the state
    changed_by: str = ""
    reason: str = ""
    rows: int = 0  # judged in this course
    events: int = 0  # of them with the judged event, by the champion's score
