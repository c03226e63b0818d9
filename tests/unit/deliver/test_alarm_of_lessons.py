"""Are the lessons believed, and since when not? The fold is the same however its rows are cut into portions."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.learning import Learning, Online
from lockgate.stages.deliver.online.alarm import judged
from lockgate.stages.deliver.online.course import begun
from lockgate.stats.combine import log_mean
from lockgate.stats.detector import begin, shiryaev_roberts
from lockgate.stats.odds import HIGHER, log_growth

ONLINE = Online(every=100, at_most=0.35, run_length=1e4)
EVENTS = st.lists(st.sampled_from([True, False, None]), max_size=120)


def course(at: int = 0) -> Learning:
    return begun("m", "course-1", 1, at)


def events(rate: float, count: int, seed: int = 1) -> list[bool | None]:
    dice = random.Random(seed)
    return [dice.random() < rate for _ in range(count)]


@given(EVENTS, st.lists(st.integers(0, 120)), st.floats(2, 1e6))
def test_portions_of_any_size_end_in_the_same(told: list[bool | None], cuts: list[int], run_length: float) -> None:
    online = replace(ONLINE, run_length=run_length)
    whole, alarmed = judged(course(7), told, online)
    portions, loud = course(7), False
    for start, end in pairwise(sorted({0, len(told), *(min(cut, len(told)) for cut in cuts)})):
        portions, loud = judged(portions, told[start:end], online)
        if loud:
            break
    assert (portions, loud) == (whole, alarmed)


@given(EVENTS)
def test_it_is_the_detector_of_the_statistics_and_its_first_crossing(told: list[bool | None]) -> None:
    after, alarmed = judged(course(), told, replace(ONLINE, run_length=50.0))
    logs, crossed = begin(len(HIGHER)), False
    for place, event in enumerate(told, start=1):
        if event is not None:
            logs = shiryaev_roberts(logs, log_growth(ONLINE.at_most, 1, int(event)))
            if crossed := bool(log_mean(logs) >= 3.912023005428146):  # log 50
                assert after.learned == place
                break
    assert alarmed is crossed
    assert after.bets == tuple(logs.tolist())


def test_rows_that_could_not_be_judged_are_passed_over() -> None:
    with_gaps, _ = judged(course(), [True, None, False, None], ONLINE)
    without, _ = judged(course(), [True, False], ONLINE)
    assert (with_gaps.rows, with_gaps.events, with_gaps.learned) == (2, 1, 4)
    assert with_gaps.bets == without.bets


def test_a_rate_within_the_limit_is_believed() -> None:
    for seed in range(20):
        after, alarmed = judged(course(), events(0.2, 2000, seed), ONLINE)
        assert not alarmed
        assert after.learned == 2000


@pytest.mark.parametrize("good", [0, 137, 500])
def test_labels_that_flip_are_found_and_since_when(good: int) -> None:
    for seed in range(20):
        after, alarmed = judged(course(1000), events(0.15, good, seed) + events(0.85, 300, seed), ONLINE)
        assert alarmed
        assert after.learned - (1000 + good) < 60
        assert abs(after.clean - (1000 + good)) <= 12


def test_the_row_that_raises_the_alarm_is_the_last_that_counts() -> None:
    after, alarmed = judged(course(), [True] * 1000, ONLINE)
    assert alarmed
    assert after.rows == after.events == after.learned < 1000
    assert not judged(course(), [True] * (after.learned - 1), ONLINE)[1]


def test_nothing_is_suspected_where_nothing_speaks_against_the_lessons() -> None:
    after, _ = judged(course(40), [True] * 5 + [False] * 300, ONLINE)
    assert after.clean == after.learned == 345


def test_what_began_after_a_quiet_time_is_suspected_from_its_first_row_on() -> None:
    after, _ = judged(course(), [False] * 50 + [True] * 9, ONLINE)
    assert after.clean == 50
