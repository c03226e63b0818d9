"""Quantiles at all times: ranks by the definition, and coverage."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln

from lockgate.stats.quantiles import quantile_ranks

levels = st.floats(0.001, 0.999)


def accepted(n: int, p: float, alpha: float) -> np.ndarray:
    """The counts that the mixture martingale does not refute, by looking at each."""
    counts = np.arange(n + 1)
    martingale = betaln(0.5 + counts, 0.5 + n - counts) - betaln(0.5, 0.5)
    return np.flatnonzero(martingale - counts * log(p) - (n - counts) * np.log1p(-p) < -log(alpha))


@given(st.integers(0, 3000), levels, st.sampled_from([0.2, 0.05, 0.001]))
def test_the_ranks_are_those_of_the_counts_that_are_not_refuted(n: int, p: float, alpha: float) -> None:
    least, most = quantile_ranks(n, p, alpha)
    counts = accepted(n, p, alpha)
    assert (int(least), int(most)) == (counts[0], counts[-1] + 1)
    assert len(counts) == counts[-1] - counts[0] + 1


@given(st.integers(1, 10**9), levels)
def test_they_lie_around_the_quantile_and_narrow(n: int, p: float) -> None:
    least, most = quantile_ranks(n, p)
    assert 0 <= least <= n * p + 1
    assert n * p <= most <= n + 1
    wider = quantile_ranks(n, p, 0.001)
    assert wider[0] <= least
    assert wider[1] >= most


def test_few_values_say_nothing_of_a_high_quantile() -> None:
    least, most = quantile_ranks([0, 100, 500, 1000, 100_000], 0.99)
    assert most[:4].tolist() == [1, 101, 501, 999]
    assert least[0] == 0
    assert most[4] < 100_000
    assert (most[4] - least[4]) / 100_000 < 0.004


def test_a_level_at_the_end_of_the_scale_is_refused() -> None:
    with pytest.raises(ValueError, match=r"both excluded; found 1\.0"):
        quantile_ranks(10, 1.0)


@pytest.mark.parametrize("p", [0.5, 0.95])
def test_a_quantile_is_covered_at_all_times_at_once(p: float) -> None:
    """2,000 streams of 1,000 values without ties, looked at after every one; alpha 20 %."""
    random = np.random.default_rng(15)
    n = np.arange(1, 1001)
    at_most = (random.random((2000, 1000)) < p).cumsum(axis=1)  # how many values lie below the quantile
    least, most = quantile_ranks(n, p, 0.2)
    missed = ((at_most < least) | (at_most >= most)).any(axis=1)
    assert 0.02 < missed.mean() <= 0.2


@pytest.mark.parametrize("p", [0.4, 0.5, 0.9])
def test_with_ties_it_is_covered_by_the_order_statistics_themselves(p: float) -> None:
    """1,000 streams of whole numbers from 0 to 4, looked at every 20 values; at .4 two quantiles are right, 1 and 2."""
    random = np.random.default_rng(16)
    values = random.integers(0, 5, size=(1000, 400))
    missed = np.zeros(1000, dtype=bool)
    for n in range(20, 401, 20):
        least, most = (int(rank) for rank in quantile_ranks(n, p, 0.2))
        ordered = np.pad(np.sort(values[:, :n], axis=1).astype(float), ((0, 0), (1, 1)), constant_values=(-np.inf, np.inf))
        right = (1, 2) if p == 0.4 else (int(5 * p),)
        missed |= (ordered[:, least] > min(right)) | (ordered[:, most] < max(right))
    assert missed.mean() <= 0.2
