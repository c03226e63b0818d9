"""Refusals under overload: how long one more request would wait, and who is not counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockgate.serving.gateway.admission import Admission, stale


def after_requests_of(seconds: float, patience: float = 0.5) -> Admission:
    """The loop took a third of it for itself."""
    admission = Admission(patience)
    for number in range(1000):
        admission.done((number + 1 / 3) * seconds, (number + 1) * seconds)
    return admission


@given(st.floats(1e-5, 0.1))
def test_the_delay_is_what_waits_times_what_one_costs(seconds: float) -> None:
    admission = after_requests_of(seconds)
    assert abs(admission.delay(100) / (100 * seconds) - 1) < 0.02
    assert not admission.full(int(0.4 / seconds), "/a")
    assert admission.full(int(0.6 / seconds) + 2, "/a")


def test_a_model_that_became_slow_is_noticed_soon() -> None:
    admission = after_requests_of(0.0001)
    for number in range(200):
        admission.done(1.0 + number * 0.05, 1.049 + number * 0.05)
    assert admission.delay(1) > 0.04


def test_idle_time_is_not_a_cost() -> None:
    """Also when somebody waits, whose body has not come."""
    admission = after_requests_of(0.001)
    for hour in range(1, 20):
        admission.done(hour * 3600.0, hour * 3600.0 + 0.0006)
    assert admission.delay(1) < 0.0013


def test_slow_callers_do_not_make_the_loop_look_behind() -> None:
    admission = after_requests_of(0.001)
    admission.stale = stale([0.0] * 5000, now=10.0)
    assert not admission.full(5000, "/a")
    assert stale([9.9, 9.0, 8.0], now=10.0) == 1


def test_refusals_are_counted_once() -> None:
    admission = after_requests_of(0.01)
    assert [admission.full(100, "/a"), admission.full(10, "/b"), admission.full(100, "/c")] == [True, False, True]
    assert (admission.take_shed(), admission.take_shed()) == ({"/a": 1, "/c": 1}, {})
