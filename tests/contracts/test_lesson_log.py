"""From the inbox to the write-ahead log: whatever comes again or late, each lesson stands there once, and no row is missing."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.boundary.observations import Block, Lesson
from lockgate.domain.learning import LearningState, LessonLog, LoggedLesson
from lockgate.integrations.sql.state import SqlState
from lockgate.ports.state import CONSUMED, INBOX, LABELS, LEARNINGS, LESSON_LOGS, LESSONS, Received, State
from lockgate.testing import builders as a
from lockgate.testing.state import MemoryState
from lockgate.usecases import take_observations as taking
from lockgate.usecases.take_observations import take_observations


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def state(request: pytest.FixtureRequest) -> Iterator[State]:
    if request.param == "memory":
        yield MemoryState()
        return
    state = SqlState.open(request.getfixturevalue(f"{request.param}_database"))
    yield state
    state.close()


def lesson(name: str, rows: int = 1, *, model: str = a.MODEL, x: float = 0.1) -> Lesson:
    values = [x + row for row in range(rows)]
    return Lesson(name, model, 1, {"x": values, "s": ["AA"] * rows}, tuple(float(row % 2) for row in range(rows)), 12.5)


def opened(state: State, *models: str) -> None:
    with state.write() as tx:
        for model in models or (a.MODEL,):
            tx.put(LEARNINGS, a.learning(model=model))


def received(state: State, sequence: int, *lessons: Lesson, worker: str = "w0") -> None:
    """As the control channel takes a block."""
    with state.write() as tx:
        consumed = tx.get(CONSUMED, worker, f"{worker}-1")
        if consumed is None or sequence > consumed.sequence:
            block = Block(worker, f"{worker}-1", sequence, 0.0, 1.0, lessons=lessons)
            tx.add(INBOX, Received(worker, f"{worker}-1", sequence, block))


def tick(state: State) -> None:
    with state.write() as tx:
        take_observations(tx)


def log_of(state: State, model: str = a.MODEL) -> list[LoggedLesson]:
    """The model's log, whose rows are counted without a gap."""
    with state.read() as tx:
        logged, end = tx.find(LESSONS, model=model), tx.get(LESSON_LOGS, model) or LessonLog(model)
    ends = list(accumulate((len(one.labels) for one in logged), initial=logged[0].seq if logged else end.rows))
    assert [one.seq for one in logged] == ends[:-1]
    assert end.rows == ends[-1]
    return logged


def ids(state: State, model: str = a.MODEL) -> list[str]:
    return [one.id for one in log_of(state, model)]


def test_what_came_stands_in_the_log_value_by_value(state: State) -> None:
    opened(state)
    odd: dict[str, list[Any]] = {
        "x": [0.1, -0.0, 5e-324, 1.7976931348623157e308],
        "n": [2**63, -1, 0, 7],
        "b": [True, False, True, True],
        "s": ["", "ü", "\0", "𝛼"],
    }
    received(state, 1, Lesson("a", a.MODEL, 3, odd, (1.0, 0.0, 0.25, -1e300), 12.5), lesson("b", 2))
    tick(state)
    first, second = log_of(state)
    assert first == LoggedLesson(a.MODEL, 0, "a", 3, odd, (1.0, 0.0, 0.25, -1e300), 12.5)
    assert str(first.inputs["x"]) == str(odd["x"])
    assert [type(value) for value in first.inputs["b"]] == [bool] * 4
    assert (second.seq, second.id) == (4, "b")


def test_a_repeated_id_is_passed_over_whoever_brings_it_and_whenever(state: State) -> None:
    opened(state)
    received(state, 1, lesson("a", 2), lesson("b"), lesson("a", 5))
    received(state, 1, lesson("b"), lesson("c"), worker="w1")
    received(state, 1, lesson("z"))  # the block that came already
    tick(state)
    received(state, 2, lesson("a", 3), lesson("d"))
    tick(state)
    assert ids(state) == ["a", "b", "c", "d"]
    assert [len(one.labels) for one in log_of(state)] == [2, 1, 1, 1]


def test_models_have_logs_of_their_own(state: State) -> None:
    opened(state, a.MODEL, "other")
    received(state, 1, lesson("a", 2), lesson("a", 3, model="other"), lesson("b"))
    tick(state)
    received(state, 2, lesson("a", 2, model="other"), lesson("c", model="other"))
    tick(state)
    assert (ids(state), ids(state, "other")) == (["a", "b"], ["a", "c"])


@pytest.mark.parametrize(
    ("learning", "why"),
    [
        (None, "does not learn online"),
        (a.learning(state=LearningState.STOPPED, reason="label errors"), "stopped: label errors"),
    ],
)
def test_where_nothing_is_learned_now_lessons_are_dropped_and_the_log_says_how_many(
    state: State, caplog: pytest.LogCaptureFixture, learning: Any, why: str
) -> None:
    with state.write() as tx:
        if learning is not None:
            tx.put(LEARNINGS, learning)
    opened(state, "other")
    received(state, 1, lesson("a", 2), lesson("b", 3), lesson("c", model="other"))
    with caplog.at_level(logging.INFO, "lockgate"):
        tick(state)
    assert (ids(state), ids(state, "other")) == ([], ["c"])
    (told,) = (vars(record) for record in caplog.records)
    assert (told["msg"], told["model"], told["lessons"], told["rows"]) == ("lessons dropped", a.MODEL, 2, 5)
    assert why in told["reason"]


def test_the_promise_ends_where_lessons_leave_the_log(state: State) -> None:
    opened(state)
    received(state, 1, lesson("a", 2), lesson("b", 2))
    tick(state)
    with state.write() as tx:
        tx.remove(LESSONS, a.MODEL, 0)  # a checkpoint holds it
    received(state, 2, lesson("a", 2), lesson("b", 2))
    tick(state)
    assert [(one.seq, one.id) for one in log_of(state)] == [(2, "b"), (4, "a")]


def test_a_transaction_takes_no_further_block_once_it_has_rows_enough(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "MOST_ROWS", 100)
    opened(state)
    for sequence in range(1, 6):
        received(state, sequence, lesson(f"l{sequence}", 40))
    for end in (2, 4, 5):
        tick(state)
        assert ids(state) == [f"l{number}" for number in range(1, end + 1)]


def test_labels_count_for_what_a_transaction_takes_as_lessons_do(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "MOST_ROWS", 200)
    with state.write() as tx:
        for sequence in range(1, 4):
            labels = tuple(a.feedback(prediction_id=f"{sequence}-{number}") for number in range(10))
            tx.add(INBOX, Received("w0", "w0-1", sequence, Block("w0", "w0-1", sequence, 0.0, 1.0, feedback=labels)))
    for left in (2, 1, 0):
        tick(state)
        with state.read() as tx:
            assert (tx.count(INBOX), tx.count(LABELS)) == (left, 10 * (3 - left))


def test_a_full_inbox_is_taken_in_portions_and_in_its_order(state: State) -> None:
    opened(state)
    with state.write() as tx:
        for sequence in range(1, taking.MOST + 6):
            block = Block("w0", "w0-1", sequence, 0.0, 1.0, lessons=(lesson(f"l{sequence}"),))
            tx.add(INBOX, Received("w0", "w0-1", sequence, block))
    for left in (5, 0):
        tick(state)
        with state.read() as tx:
            assert tx.count(INBOX) == left
    assert ids(state) == [f"l{number}" for number in range(1, taking.MOST + 6)]


_lessons = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 4)), max_size=4)
_steps = st.lists(
    st.tuples(st.sampled_from(["next", "again", "tick"]), st.integers(0, 2), st.integers(0, 5), _lessons), max_size=40
)


@contextmanager
def in_memory(_: Path) -> Iterator[State]:
    yield MemoryState()


@contextmanager
def in_sqlite(template: Path) -> Iterator[State]:
    with TemporaryDirectory() as folder:
        state = SqlState.open(f"sqlite:///{shutil.copy(template, folder)}")
        try:
            yield state
        finally:
            state.close()


@pytest.mark.parametrize(("new_state", "examples"), [(in_memory, 150), (in_sqlite, 15)])
def test_however_blocks_are_mixed_and_repeated_the_log_has_each_id_once_and_no_gap(
    sqlite_template: Path, monkeypatch: pytest.MonkeyPatch, new_state: Callable[[Path], Any], examples: int
) -> None:
    """Three workers send their blocks in order, and any that they sent before again; the controller looks now and then."""
    monkeypatch.setattr(taking, "MOST_ROWS", 60)
    monkeypatch.setattr(taking, "_PORTION", 3)

    @settings(max_examples=examples)
    @given(_steps)
    def mixed(steps: list[tuple[str, int, int, list[tuple[str, int]]]]) -> None:
        sent: list[list[tuple[Lesson, ...]]] = [[], [], []]
        first: dict[str, int] = {}
        with new_state(sqlite_template) as state:
            opened(state)
            for what, worker, before, told in steps:
                if what == "tick":
                    tick(state)
                    continue
                blocks = sent[worker]
                if what == "next" or not blocks:
                    blocks.append(tuple(lesson(name, rows) for name, rows in told))
                    for one in blocks[-1]:
                        first.setdefault(one.id, len(one.labels))
                    place = len(blocks) - 1
                else:
                    place = before % len(blocks)
                received(state, place + 1, *blocks[place], worker=f"w{worker}")
            for _ in range(40):
                tick(state)
            logged = log_of(state)
        assert [(one.id, len(one.labels)) for one in logged] == list(first.items())

    mixed()
