"""Append lessons that came to the write-ahead logs of the models which learn from them, each id once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from lockgate.boundary.observations import Lesson
from lockgate.domain.learning import LearningState, LessonLog, LoggedLesson
from lockgate.ports.state import LEARNINGS, LESSON_LOGS, LESSONS, Reader, Writer

log = logging.getLogger(__name__)


def log_lessons(tx: Writer, model: str, lessons: Iterable[Lesson]) -> None:
    """Of one model, in their order. Where nothing is learned now, they are passed over, and the log of this process says so.

    An id that stands in the log is passed over too. Lessons leave the log once checkpoints hold them (the last two checkpoints'
    are always there): what is repeated after that is learned again.
    """
    given = [one for one in lessons if one.labels]
    refusal = _refusal(tx, model)
    if refusal:
        log.warning("lessons dropped", extra={"model": model, **_counts(given), "reason": refusal})
        return
    new = list(_unknown(tx, model, given))
    if len(new) < len(given):
        log.info("lessons known already", extra={"model": model, "lessons": len(given) - len(new)})
    end = tx.get(LESSON_LOGS, model) or LessonLog(model)
    logged = list(_placed(new, end.rows))
    tx.add_all(LESSONS, logged)
    tx.put(LESSON_LOGS, LessonLog(model, end.rows + sum(len(one.labels) for one in logged)))


def _refusal(tx: Reader, model: str) -> str:
    learning = tx.get(LEARNINGS, model)
    if learning is None:
        return "the model does not learn online"
    return "" if learning.state is LearningState.OPEN else f"its learning is {learning.state}: {learning.reason}"


def _unknown(tx: Reader, model: str, lessons: Iterable[Lesson]) -> Iterator[Lesson]:
    """Asked by the id alone: a database might rather look through all that the model has."""
    seen: set[str] = set()
    for one in lessons:
        if one.id not in seen and all(other.model != model for other in tx.find(LESSONS, id=one.id)):
            seen.add(one.id)
            yield one


def _placed(lessons: Iterable[Lesson], seq: int) -> Iterator[LoggedLesson]:
    for one in lessons:
        yield LoggedLesson(one.model, seq, one.id, one.version, one.inputs, one.labels, one.at)
        seq += len(one.labels)


def _counts(lessons: list[Lesson]) -> dict[str, int]:
    return {"lessons": len(lessons), "rows": sum(len(one.labels) for one in lessons)}
