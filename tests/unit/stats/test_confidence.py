"""The interval of a rate: closed at the ends, narrowing, and covering the truth at all times at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln, xlog1py, xlogy

from lockgate.stats.confidence import rate_interval


@given(st.integers(1, 100_000), st.floats(0, 1))
def test_it_holds_the_observed_rate_and_its_ends_are_where_the_martingale_reaches_the_bar(trials: int, part: float) -> None:
    events = round(part * trials)
    low, high = rate_interval(trials, events)
    assert 0 <= low <= events / trials <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            martingale = betaln(0.5 + events, 0.5 + trials - events) - betaln(0.5, 0.5)
            martingale -= xlogy(events, end) + xlog1py(trials - events, -end)
            assert np.isclose(martingale, np.log(20), atol=1e-5)


def test_ends_without_trials_without_events_and_with_nothing_but_events() -> None:
    low, high = rate_interval([0, 10, 10], [0, 0, 10])
    np.testing.assert_array_equal(low[:2], 0)
    assert low[2] > 0.6
    np.testing.assert_array_equal(high[[0, 2]], 1)
    assert high[1] < 0.4


def test_it_covers_the_rate_at_all_times_at_once() -> None:
    """2,000 streams of 3,000 trials, looked at after every one of them; alpha 10 %."""
    random = np.random.default_rng(5)
    events = np.zeros(2000)
    refuted = np.zeros(2000, dtype=bool)
    for trials in range(1, 3001):
        events += random.random(2000) < 0.02
        martingale = betaln(0.5 + events, 0.5 + trials - events) - betaln(0.5, 0.5) - events * np.log(0.02)
        refuted |= martingale - (trials - events) * np.log(0.98) >= np.log(10)
    assert refuted.mean() <= 0.1
    low, high = rate_interval(3000, events, alpha=0.1)
    assert ((low > 0.02) | (high < 0.02)).mean() <= refuted.mean()
