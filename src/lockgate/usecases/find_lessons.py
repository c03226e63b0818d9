"""Rows of a model's log of lessons."""

from __future__ import annotations

from lockgate.domain.learning import LoggedLesson
from lockgate.kernel.errors import Corrupt
from lockgate.ports.state import LESSON_LOGS, LESSONS, Reader
from lockgate.stages.deliver.online.lessons import part

PAGE = 500  # lessons


def log_end(tx: Reader, model: str) -> int:
    """Place of the row that comes next."""
    log = tx.get(LESSON_LOGS, model)
    return log.rows if log else 0


def lessons_between(tx: Reader, model: str, first: int, end: int, skip: int = 0) -> tuple[list[LoggedLesson], int]:
    """The rows [first, end), and how many lessons stand in the log before the one that row `end` belongs to.

    skip: that number from an earlier look, so that the log need not be read from its beginning. Too high a one does no harm.

    Raises:
        Corrupt: some of the rows are not there.
    """
    found: list[LoggedLesson] = []
    place, offset = first, skip
    while place < end:
        page = tx.find(LESSONS, model=model, limit=PAGE, offset=offset)
        if not page or page[0].seq > place:
            if found or not offset:
                raise _gone(model, place, end)
            offset = 0  # the log was shortened since
            continue
        for index, lesson in enumerate(page):
            some = part(lesson, place, end)
            if some is None:
                continue
            if some.seq > place:
                raise _gone(model, place, some.seq)
            found.append(some)
            place += len(some.labels)
            if place == end:
                return found, offset + index + (lesson.seq + len(lesson.labels) == end)
        offset += len(page)
    return found, offset


def _gone(model: str, first: int, end: int) -> Corrupt:
    return Corrupt(
        f"rows {first} to {end - 1} of the lessons of {model} are not in its log",
        hint=f"Begin anew from the champion: lockgate learning resume {model}",
    )
