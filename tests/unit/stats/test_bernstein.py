"""The interval of a mean: the formula's, the same step by step, and covering at all times at once."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stats.bernstein import MeanSequence, fold, interval, step

units = st.floats(0, 1)


def by_hand(alpha: float, values: list[float]) -> tuple[float, float]:
    weights = weighted = cost = 0.0
    means = [0.5]
    squares = 0.0
    for t, x in enumerate(values, start=1):
        bet = min(0.5, sqrt(2 * log(2 / alpha) / ((0.25 + squares) / t * t * log(1 + t))))
        weights, weighted = weights + bet, weighted + bet * x
        cost += 4 * (x - means[-1]) ** 2 * (-log(1 - bet) - bet) / 4
        means.append((0.5 + sum(values[:t])) / (t + 1))
        squares += (x - means[-1]) ** 2
    middle, radius = weighted / weights, (log(2 / alpha) + cost) / weights
    return max(0.0, middle - radius), min(1.0, middle + radius)


@given(st.sampled_from([0.01, 0.05, 0.2]), st.lists(units, min_size=1, max_size=20), st.sampled_from([1, 3, 30]))
def test_the_interval_is_that_of_the_formula(alpha: float, values: list[float], times: int) -> None:
    """Long enough, in part, for weights below ½."""
    low, high = interval(fold(MeanSequence(alpha), values * times))
    assert (float(low), float(high)) == pytest.approx(by_hand(alpha, values * times), abs=1e-9)


@given(st.lists(units, min_size=1, max_size=40), st.data())
def test_a_fold_is_the_same_as_steps_and_as_folds_of_its_parts(values: list[float], data: st.DataObject) -> None:
    at_once = interval(fold(MeanSequence(0.05), values))
    stepped = MeanSequence(0.05)
    for value in values:
        stepped = step(stepped, value)
    cut = data.draw(st.integers(0, len(values)))
    for other in (stepped, fold(fold(MeanSequence(0.05), values[:cut]), values[cut:])):
        np.testing.assert_allclose(interval(other), at_once, rtol=0, atol=1e-12)


def test_before_the_first_value_anything_is_possible() -> None:
    assert tuple(map(float, interval(MeanSequence(0.05)))) == (0.0, 1.0)


def test_it_narrows_with_time_and_with_the_variance() -> None:
    random = np.random.default_rng(3)
    coins, quiet = (random.random(5000) < 0.5).astype(float), random.uniform(0.45, 0.55, 5000)
    widths = []
    for values in (coins[:500], coins, quiet):
        low, high = interval(fold(MeanSequence(0.05), values))
        widths.append(float(high - low))
    assert widths[0] > 1.5 * widths[1] > 6 * widths[2]
    assert widths[1] < 0.08


@pytest.mark.parametrize(("mean", "concentration"), [(0.5, 0.5), (0.05, 2.0), (0.9, 50.0)])
def test_it_covers_the_mean_after_every_block_at_once(mean: float, concentration: float) -> None:
    """2,000 streams of 1,000 values, alpha 20 %; the same ends refute a mean that is .1 away."""
    random = np.random.default_rng(8)
    values = random.beta(concentration * mean, concentration * (1 - mean), size=(2000, 1000))
    state = MeanSequence(0.2)
    missed = np.zeros(2000, dtype=bool)
    for block in np.split(values, 50, axis=1):
        state = fold(state, block)
        low, high = interval(state)
        missed = missed | (low > mean) | (high < mean)
    assert missed.mean() <= 0.2
    assert ((low > mean - 0.1) | (mean <= 0.1)).mean() > 0.9
    assert (high < mean + 0.1).mean() > 0.9
