"""Lessons as rows: of a stretch of the log, and as the artifact from which a checkpoint can be made again."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec

from lockgate.domain.learning import LoggedLesson
from lockgate.kernel.digest import canonical_json
from lockgate.kernel.errors import Corrupt

Row = dict[str, Any]


def part(lesson: LoggedLesson, first: int, end: int) -> LoggedLesson | None:
    """Those of its rows that lie in [first, end) of the log; None if there are none."""
    since, until = max(first - lesson.seq, 0), min(end - lesson.seq, len(lesson.labels))
    if since >= until:
        return None
    inputs = {name: values[since:until] for name, values in lesson.inputs.items()}
    return LoggedLesson(
        lesson.model, lesson.seq + since, lesson.id, lesson.version, inputs, lesson.labels[since:until], lesson.at
    )


def rows(lessons: Iterable[LoggedLesson], inputs: Collection[str]) -> Iterator[tuple[int, Row | None, float]]:
    """Place, values and label of each row. None where its version read other inputs: nobody can learn from that one."""
    for lesson in lessons:
        known = lesson.inputs.keys() >= set(inputs)
        for i, label in enumerate(lesson.labels):
            yield lesson.seq + i, {name: lesson.inputs[name][i] for name in inputs} if known else None, label


def encode(lessons: Iterable[LoggedLesson]) -> bytes:
    """A line of canonical JSON for each: the same lessons are the same bytes."""
    return b"".join(canonical_json(msgspec.to_builtins(one)) + b"\n" for one in lessons)


def decode(content: bytes) -> tuple[LoggedLesson, ...]:
    """What `encode` was given.

    Raises:
        Corrupt: the bytes are no lessons.
    """
    try:
        return tuple(msgspec.convert(json.loads(line), LoggedLesson) for line in content.splitlines())
    except (ValueError, msgspec.ValidationError) as error:
        raise Corrupt(
            f"the artifact holds no lessons: {error}", hint="Restore the artifact; it was altered or damaged."
        ) from error
