"""The statistics of drift hold what they promise: known values, and error rates by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, false_discovery_control

from lockgate.stats.binomial import lower_bound, upper_bound
from lockgate.stats.drift import Spread, benjamini_hochberg, homogeneity, p_values, psi, psi_by_chance, spread

COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=12)


def test_psi_is_the_known_value() -> None:
    found = psi(np.array([5000, 5000]), np.array([7000, 3000]))
    assert found == pytest.approx((0.7 - 0.5) * np.log(0.7 / 0.5) + (0.3 - 0.5) * np.log(0.3 / 0.5), rel=1e-3)


@given(COUNTS)
def test_psi_is_finite_never_negative_and_blind_to_padding(pairs: list[tuple[int, int]]) -> None:
    reference, current = (np.array(column) for column in zip(*pairs, strict=True))
    found = float(psi(reference, current))
    assert 0 <= found < np.inf
    assert psi(np.append(reference, [0, 0]), np.append(current, [0, 0])) == pytest.approx(found)


@given(COUNTS)
def test_p_values_are_probabilities_whatever_the_counts(pairs: list[tuple[int, int]]) -> None:
    reference, current = (np.array(column) for column in zip(*pairs, strict=True))
    p = float(p_values(homogeneity(reference, current)))
    assert 0 <= p <= 1


def test_where_no_cell_is_small_the_test_is_pearsons() -> None:
    reference, current = np.array([200, 300, 500]), np.array([60, 50, 90])
    expected = chi2_contingency(np.array([reference, current]), correction=False)
    test = homogeneity(reference, current)
    assert test.statistic == pytest.approx(expected.statistic)
    assert p_values(test) == pytest.approx(expected.pvalue)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.001, 0.3))
def test_benjamini_hochberg_is_scipys(p: list[float], alpha: float) -> None:
    # scipy adjusts p upwards instead; at the very edge both may differ by a rounding
    adjusted = false_discovery_control(p)
    sure = np.abs(adjusted - alpha) > 1e-9
    assert (benjamini_hochberg(np.array(p), alpha) == (adjusted <= alpha))[sure].all()


@given(st.integers(0, 300), st.integers(1, 300), st.floats(0.0001, 0.2))
def test_exact_bounds_hold_the_rate_between_them(events: int, others: int, alpha: float) -> None:
    trials = events + others
    assert 0 <= lower_bound(events, trials, alpha) <= events / trials <= upper_bound(events, trials, alpha) <= 1


def test_exact_bounds_at_the_edges() -> None:
    assert (lower_bound(0, 10, 0.05), upper_bound(10, 10, 0.05)) == (0, 1)
    assert upper_bound(0, 100, 0.05) == pytest.approx(1 - 0.05**0.01)  # the rule of three
    assert (lower_bound(0, 0, 0.05), upper_bound(0, 0, 0.05)) == (0, 1)


def test_without_drift_200_features_raise_an_alarm_in_at_most_alpha_of_the_windows() -> None:
    random = np.random.default_rng(11)
    shares = random.dirichlet(np.full(10, 5.0), size=200)
    reference = random.multinomial(100_000, shares)
    alarms, small = 0.0, []
    for _ in range(1000):
        window = random.multinomial(1000, shares)
        p = p_values(homogeneity(reference, window))
        alarms += benjamini_hochberg(p, 0.01).any()
        small.append((p < 0.01).mean())
    assert alarms <= 1000 * 0.01 + 3 * np.sqrt(1000 * 0.01)
    assert np.mean(small) == pytest.approx(0.01, rel=0.15)


def test_the_effect_of_no_drift_is_nought_on_average() -> None:
    random = np.random.default_rng(5)
    shares = np.full(20, 0.05)
    reference, windows = random.multinomial(20_000, shares), random.multinomial(1000, shares, size=2000)
    effects = psi(reference[None, :], windows) - psi_by_chance(reference[None, :], windows)
    assert np.mean(effects) == pytest.approx(0, abs=0.001)


def clustered(random: np.random.Generator, runs: int, rows: int) -> np.ndarray:
    """Counts of runs whose shares differ from run to run, as weather makes them."""
    shares = random.dirichlet(np.full(10, 20.0), size=runs)
    return random.multinomial(rows, shares)


def test_rows_that_hang_together_raise_no_alarm_once_their_spread_is_learned() -> None:
    random = np.random.default_rng(9)
    raw = corrected = 0.0
    for _ in range(60):
        runs = clustered(random, 60, 500)
        learned = spread(runs)
        windows = clustered(random, 50, 500)
        test = homogeneity(runs.sum(0)[None, :], windows)
        raw += (p_values(test) < 0.01).sum()
        corrected += (p_values(test, *learned) < 0.01).sum()
    assert raw > 1500  # of 3000: as if every day were a drift
    assert corrected <= 45


def test_independent_runs_teach_next_to_nothing_and_no_runs_nothing() -> None:
    learned = spread(np.random.default_rng(2).multinomial(1000, np.full(10, 0.1), size=100))
    assert learned.inflation < 1.2
    assert spread(np.array([[10, 20]])) == Spread()
    assert spread(np.zeros((5, 3), dtype=np.int64)) == Spread()
