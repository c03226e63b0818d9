"""The contract of ports.learners.Learners, for each runtime that can learn."""

# ruff: noqa: S101 - these are tests, of implementations that are not ours to know

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.boundary.manifest import Manifest
from lockgate.kernel.errors import LockgateError
from lockgate.ports.learners import Learner, Learners


@dataclass(frozen=True)
class Lessons:
    """A package and rows with their truth, a few hundred. odd: a row from which its model cannot learn."""

    learners: Learners
    manifest: Manifest
    files: Mapping[str, bytes]
    rows: list[tuple[dict[str, Any], float]]
    odd: dict[str, Any]

    def open(self, files: Mapping[str, bytes] | None = None) -> Learner:
        return self.learners.open(self.manifest, self.files if files is None else files)


def what_was_just_opened_is_put_away_as_it_was(lessons: Lessons) -> None:
    first = lessons.open().files()
    assert first.keys() == lessons.files.keys()
    assert lessons.open(first).files() == first


def the_same_rows_make_the_same_files(lessons: Lessons) -> None:
    assert _learned(lessons.open(), lessons) == _learned(lessons.open(), lessons)


def learning_changes_what_it_says(lessons: Lessons) -> None:
    learner = lessons.open()
    before = [learner.score(row) for row, _ in lessons.rows]
    assert _learned(learner, lessons) != lessons.files
    assert [learner.score(row) for row, _ in lessons.rows] != before


def it_learns_the_truth(lessons: Lessons) -> None:
    learner = lessons.open()
    for _ in range(20):
        _learned(learner, lessons)
    scores = {truth: [learner.score(row) for row, label in lessons.rows if (label >= 0.5) is truth] for truth in (True, False)}  # noqa: PLR2004
    assert _mean(scores[True]) > _mean(scores[False])


def what_was_put_away_goes_on_alike_wherever_it_is_opened(lessons: Lessons) -> None:
    half = len(lessons.rows) // 2
    learner = lessons.open()
    for row, label in lessons.rows[:half]:
        learner.learn(row, label)
    kept = learner.files()
    once, again = lessons.open(kept), lessons.open(kept)
    for row, label in lessons.rows[half:]:
        assert once.score(row) == again.score(row) == learner.score(row)
        for one in (once, again, learner):
            one.learn(row, label)
    assert once.files() == again.files()


def being_asked_changes_nothing(lessons: Lessons) -> None:
    learner = lessons.open()
    for row, _ in lessons.rows:
        learner.score(row)
    assert learner.files() == lessons.open().files()


def what_it_cannot_learn_from_is_one_of_our_errors(lessons: Lessons) -> None:
    learner = lessons.open()
    _raises(lambda: learner.learn(lessons.odd, 1.0))


def files_that_hold_no_model_are_refused(lessons: Lessons) -> None:
    for content in (b"", b"{}", b"\xff", b'{"format":"other"}'):
        damaged: dict[str, bytes] = dict.fromkeys(lessons.files, content)
        _raises(lambda files=damaged: lessons.open(files))  # type: ignore[misc]
    _raises(lambda: lessons.open({}))


def _learned(learner: Learner, lessons: Lessons) -> dict[str, bytes]:
    for row, label in lessons.rows:
        learner.learn(row, label)
    return learner.files()


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _raises(act: Callable[[], object]) -> None:
    try:
        act()
    except LockgateError:
        return
    raise AssertionError("a LockgateError expected, nothing was raised")


LEARNER_CHECKS: tuple[Callable[[Lessons], None], ...] = (
    what_was_just_opened_is_put_away_as_it_was,
    the_same_rows_make_the_same_files,
    learning_changes_what_it_says,
    it_learns_the_truth,
    what_was_put_away_goes_on_alike_wherever_it_is_opened,
    being_asked_changes_nothing,
    what_it_cannot_learn_from_is_one_of_our_errors,
    files_that_hold_no_model_are_refused,
)
