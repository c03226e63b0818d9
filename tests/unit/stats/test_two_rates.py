"""Two rates, further apart or closer than a limit: exact levels by enumeration, and agreement with what is known elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, fisher_exact

from lockgate.stats.binomial import lower_bound, upper_bound
from lockgate.stats.two_rates import Rate, bounds, p_apart, p_close

ALPHA = 0.025


def chance(n: int, first: float, second: float, limit: float, *, ratio: bool, close: bool) -> float:
    """Of a verdict at the level, over all outcomes of two groups of n."""
    one, other = binom.pmf(range(n + 1), n, first), binom.pmf(range(n + 1), n, second)
    told = p_close if close else p_apart
    hits = [
        one[i] * other[j]
        for i in range(n + 1)
        for j in range(n + 1)
        if one[i] * other[j] > 1e-7 and told(Rate(i, n), Rate(j, n), limit, ratio=ratio) <= ALPHA
    ]
    return float(np.sum(hits))


@pytest.mark.parametrize(("first", "second"), [(0.05, 0.0), (0.35, 0.3), (0.55, 0.5), (1.0, 0.95)])
def test_at_the_limit_neither_verdict_comes_more_often_than_its_level(first: float, second: float) -> None:
    limit = first - second
    assert chance(40, first, second, limit, ratio=False, close=True) <= ALPHA
    assert chance(40, first, second, limit, ratio=False, close=False) <= ALPHA


def test_at_the_limit_of_a_ratio_neither() -> None:
    assert chance(40, 0.5, 0.25, 2.0, ratio=True, close=True) <= ALPHA
    assert chance(40, 0.5, 0.25, 2.0, ratio=True, close=False) <= ALPHA


@given(st.integers(0, 30), st.integers(0, 30))
def test_no_difference_is_fishers_exact_test(one: int, other: int) -> None:
    """Melding gives Fisher's p-value at a difference of nothing (the source, section 4)."""
    exact = fisher_exact([[one, 30 - one], [other, 30 - other]], alternative="greater").pvalue
    assert p_apart(Rate(one, 30), Rate(other, 30), 0.0, ratio=False) == pytest.approx(exact, abs=1e-6)
    assert p_apart(Rate(one, 30), Rate(other, 30), 1.0, ratio=True) == pytest.approx(exact, abs=1e-6)


def test_beside_a_rate_that_is_known_the_bounds_are_those_of_one_rate() -> None:
    low, high = bounds(Rate(30, 100), Rate(0, 10**9), ALPHA, ALPHA, ratio=False)
    assert low == pytest.approx(lower_bound(30, 100, ALPHA), abs=1e-4)
    assert high == pytest.approx(upper_bound(30, 100, ALPHA), abs=1e-4)


@given(st.integers(0, 50), st.integers(1, 50), st.booleans())
def test_bounds_hold_the_estimate_and_are_where_the_verdict_turns(events: int, others: int, ratio: bool) -> None:  # noqa: FBT001 - drawn
    first, second = Rate(events, 50), Rate(others, 50)
    low, high = bounds(first, second, ALPHA, ALPHA, ratio=ratio)
    estimate = events / others if ratio else (events - others) / 50
    assert low <= estimate + 1e-6
    assert estimate <= high + 1e-6
    beyond = high * 1.001 if ratio else high + 0.001
    assert beyond > 1 or p_close(first, second, beyond, ratio=ratio) <= ALPHA
