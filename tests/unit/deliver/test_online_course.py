"""When a checkpoint is due, whether a course goes on under another champion, and where the way back leads."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.learning import Learned, LoggedLesson
from lockgate.domain.models import ModelVersion
from lockgate.domain.rollouts import Plan, Strategy
from lockgate.stages.deliver.online.course import begun, due_at, goes_on, is_due, plan_of, stopped, tainted, way_back
from lockgate.stages.deliver.online.lessons import decode, encode, part, rows
from lockgate.testing import builders as a
from lockgate.testing.clock import START

COURSE = replace(begun("m", "course-1", 1, 100), learned=350, checkpoint=2, checkpoint_at=300, champion=1)


def checkpoint(number: int, end: int, course: str = "course-1") -> ModelVersion:
    return a.version(number, model="m", learned=Learned(course, 1, end - 100, end, "sha256:lessons"))


def test_a_checkpoint_is_due_so_many_rows_after_the_last() -> None:
    assert due_at(COURSE, 100) == 400
    assert not is_due(COURSE, 100)
    assert is_due(replace(COURSE, learned=400), 100)


def test_where_people_asked_for_checkpoints_more_often_it_is_due_now() -> None:
    assert due_at(COURSE, 20) == COURSE.learned
    assert is_due(COURSE, 20)


def test_a_course_goes_on_under_its_own_checkpoint_and_under_no_other() -> None:
    assert goes_on(COURSE, a.version(1), came_back=False)
    assert goes_on(COURSE, checkpoint(2, 300), came_back=False)
    assert not goes_on(COURSE, checkpoint(2, 300), came_back=True)
    assert not goes_on(COURSE, checkpoint(2, 300, "course-0"), came_back=False)
    assert not goes_on(COURSE, a.version(9), came_back=False)


def test_tainted_is_what_learned_a_suspected_row_of_this_course() -> None:
    suspected = replace(COURSE, clean=300)
    assert not tainted(checkpoint(2, 300), suspected)
    assert tainted(checkpoint(3, 301), suspected)
    assert not tainted(checkpoint(3, 500, "course-0"), suspected)
    assert not tainted(a.version(1), suspected)


def test_the_way_back_leads_to_the_newest_that_is_clean() -> None:
    stood = [checkpoint(5, 500), checkpoint(4, 400), checkpoint(3, 300), checkpoint(2, 200), a.version(1)]
    assert way_back(replace(COURSE, clean=450), stood) == stood[1]
    assert way_back(replace(COURSE, clean=50), stood) == stood[4]
    assert way_back(replace(COURSE, clean=50), stood[:4]) is None


def test_evidence_brings_in_checkpoints_of_the_running_course_and_people_replace() -> None:
    plan = Plan(Strategy.ONLINE)
    assert plan_of(plan, checkpoint(2, 300), COURSE) == plan
    for version, learning in (
        (a.version(7), COURSE),
        (checkpoint(2, 300, "course-0"), COURSE),
        (checkpoint(2, 300), None),
        (checkpoint(2, 300), stopped(COURSE, "ada", "enough", START)),
    ):
        assert plan_of(plan, version, learning).strategy is Strategy.REPLACE
    assert plan_of(Plan(Strategy.CANARY, (0.5,)), a.version(7), COURSE).strategy is Strategy.CANARY


VALUES = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53), st.text())


@st.composite
def logs(draw: st.DrawFn) -> list[LoggedLesson]:
    """Lessons one after the other, from row 5 on."""
    place, found = 5, []
    for number, size in enumerate(draw(st.lists(st.integers(1, 4), max_size=6))):
        column = st.lists(VALUES, min_size=size, max_size=size)
        labels = tuple(draw(st.lists(st.floats(0, 1), min_size=size, max_size=size)))
        found.append(LoggedLesson("m", place, f"lesson {number}", 1, {"x": draw(column), "y": draw(column)}, labels, 0.5))
        place += size
    return found


@given(logs())
def test_lessons_come_back_as_they_were_and_the_same_are_the_same_bytes(lessons: list[LoggedLesson]) -> None:
    content = encode(lessons)
    assert decode(content) == tuple(lessons)
    assert encode(decode(content)) == content


@given(logs(), st.integers(0, 30), st.integers(0, 30))
def test_a_part_of_the_log_has_its_rows_at_their_places(lessons: list[LoggedLesson], first: int, end: int) -> None:
    every = list(rows(lessons, ("y", "x")))
    parts = [some for one in lessons if (some := part(one, first, end)) is not None]
    assert list(rows(parts, ("y", "x"))) == [row for row in every if first <= row[0] < end]


def test_rows_that_were_read_by_other_inputs_are_nobodys() -> None:
    lesson = LoggedLesson("m", 3, "one", 1, {"x": [1.0, 2.0]}, (1.0, 0.0), 0.0)
    assert [row for _, row, _ in rows([lesson], ("x", "y"))] == [None, None]
    assert [row for _, row, _ in rows([lesson], ("x",))] == [{"x": 1.0}, {"x": 2.0}]
