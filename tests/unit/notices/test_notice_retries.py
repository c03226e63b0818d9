"""When an attempt is made again, and when a delivery is given up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.notices import Delivery, DeliveryState
from lockgate.stages.watch.notices.retries import ATTEMPTS, LONGEST, REFUSALS, Attempt, Result, after, pause, result_of
from lockgate.testing.clock import START
from lockgate.testing.company import delivery


def given_up(result: Result, luck: float) -> tuple[int, float]:
    """After how many attempts, and how many seconds."""
    one, now = delivery(), START
    while one.state is DeliveryState.WAITING:
        now = START + timedelta(seconds=max(0.0, one.next_at - START.timestamp()))
        one = after(one, Attempt(result, "no"), now, luck)
    return one.attempts, (now - START).total_seconds()


@given(st.floats(0, 0.999))
def test_a_receiver_that_is_down_is_tried_for_a_weekend(luck: float) -> None:
    attempts, seconds = given_up(Result.LATER, luck)
    assert attempts == ATTEMPTS == 14
    assert 39 * 3600 <= seconds <= 80 * 3600


@given(st.floats(0, 0.999))
def test_one_that_says_no_is_tried_for_minutes(luck: float) -> None:
    attempts, seconds = given_up(Result.REFUSED, luck)
    assert attempts == REFUSALS == 5
    assert 3 * 60 <= seconds <= 8 * 60


def test_one_that_is_gone_is_not_tried_again() -> None:
    assert given_up(Result.GONE, 0.5) == (1, 0.0)


@given(st.integers(1, ATTEMPTS), st.floats(0, 0.999), st.floats(0, 0.999))
def test_pauses_grow_to_half_a_day_and_never_are_nothing(attempts: int, luck: float, other: float) -> None:
    assert 2.5 <= pause(attempts, luck) <= LONGEST
    if attempts < 7:
        assert pause(attempts, luck) < pause(attempts + 1, other), "also with the worst of luck"


@pytest.mark.parametrize(("asked", "least", "most"), [(None, 2.5, 5), (1.0, 2.5, 5), (600.0, 600, 600), (1e9, LONGEST, LONGEST)])
def test_what_the_receiver_asks_for_counts_within_bounds(asked: float | None, least: float, most: float) -> None:
    for luck in (0.0, 0.999):
        again = after(delivery(), Attempt(Result.LATER, "429", asked), START, luck)
        assert least <= again.next_at - START.timestamp() <= most


def test_delivered_is_the_end() -> None:
    tried = delivery(attempts=3)
    done = after(tried, Attempt(Result.DELIVERED, "204"), START, 0.5)
    expected = Delivery(
        tried.id,
        tried.webhook,
        tried.event,
        DeliveryState.DELIVERED,
        START,
        tried.next_at,
        attempts=4,
        answer="204",
        ended_at=START,
    )
    assert done == expected


def test_what_a_receiver_says_is_bounded() -> None:
    assert len(after(delivery(), Attempt(Result.LATER, "x" * 10_000), START, 0.5).answer) == 200


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((200, 201, 202, 204), Result.DELIVERED),
        ((408, 409, 425, 429, 500, 502, 503, 504, 599), Result.LATER),
        ((100, 301, 302, 307, 308, 400, 401, 403, 404, 422), Result.REFUSED),
        ((410,), Result.GONE),
    ],
)
def test_what_a_status_says(statuses: tuple[int, ...], expected: Result) -> None:
    assert {result_of(status) for status in statuses} == {expected}
