"""The e-process on the share of events: its mean is 1 at the null, by enumeration of everything that can happen."""

from __future__ import annotations

from itertools import product
from math import comb, exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stats.combine import log_mean
from lockgate.stats.odds import HIGHER, LOWER, log_e_not_worse, log_e_worse, log_growth, null_share

weights = st.floats(0.005, 0.9)
ratios = st.floats(1.0, 5.0)


def mean_over_events(weight: float, true_ratio: float, events: int, log_e: list[float]) -> float:
    """The mean of an e-value by how many of `events` were the canary's, when its rate is `true_ratio` × the baseline's."""
    share = float(null_share(weight, true_ratio))
    return sum(comb(events, k) * share**k * (1 - share) ** (events - k) * exp(log_e[k]) for k in range(events + 1))


@given(weights, ratios, st.integers(0, 25))
def test_the_mean_of_worse_is_one_at_the_null_and_less_below(weight: float, ratio: float, events: int) -> None:
    log_e = [float(log_e_worse([weight], [events], [k], ratio)) for k in range(events + 1)]
    assert mean_over_events(weight, ratio, events, log_e) == pytest.approx(1.0)
    for share_of_it in (0.0, 0.5, 0.9):
        assert mean_over_events(weight, share_of_it * ratio, events, log_e) <= 1 + 1e-9


@given(weights, ratios, st.integers(0, 25))
def test_the_mean_of_not_worse_is_one_at_the_null_and_less_above(weight: float, ratio: float, events: int) -> None:
    log_e = [float(log_e_not_worse([weight], [events], [k], [ratio])[0]) for k in range(events + 1)]
    assert mean_over_events(weight, ratio, events, log_e) == pytest.approx(1.0)
    for times_it in (1.1, 2.0, 50.0):
        assert mean_over_events(weight, times_it * ratio, events, log_e) <= 1 + 1e-9


@pytest.mark.parametrize("ratio", [1.0, 1.5, 4.0])
@pytest.mark.parametrize("odds", [HIGHER, tuple(np.array(LOWER) / 1.5)])
def test_every_bet_is_fair_for_a_request_whose_arm_and_outcome_are_both_random(ratio: float, odds: tuple[float, ...]) -> None:
    """Arm and failure enumerated together, over three requests with different weights and rates: no success is ever looked at."""
    requests = ((0.01, 0.02), (0.1, 0.1), (0.25, 0.2))  # weight, the baseline's rate
    means = np.zeros(len(odds))
    for outcomes in product(((True, True), (True, False), (False, True), (False, False)), repeat=len(requests)):
        probability, growth = 1.0, np.zeros(len(odds))
        for (weight, rate), (canary, failed) in zip(requests, outcomes, strict=True):
            risk = rate * ratio if canary else rate
            probability *= (weight if canary else 1 - weight) * (risk if failed else 1 - risk)
            growth = growth + log_growth(weight, int(failed), int(failed and canary), ratio, odds)
        means += probability * np.exp(growth)
    np.testing.assert_allclose(means, 1.0)


def test_the_bets_are_the_ones_of_the_formula() -> None:
    """Ten events at weight 0.1, four of them the canary's: θ = share·δ / (1 − share + share·δ), bet by bet."""
    share, total = 0.1, 0.0
    for delta in HIGHER:
        theta = share * delta / (1 - share + share * delta)
        total += (theta / share) ** 4 * ((1 - theta) / (1 - share)) ** 6 / len(HIGHER)
    assert float(log_e_worse([0.1], [10], [4])) == pytest.approx(np.log(total))


@given(weights, st.integers(1, 200), st.data())
def test_one_more_event_of_the_canary_speaks_for_harm_and_against_safety(weight: float, events: int, data: st.DataObject) -> None:
    own = data.draw(st.integers(0, events))
    assert log_e_worse([weight], [events + 1], [own + 1]) > log_e_worse([weight], [events], [own])
    assert log_e_not_worse([weight], [events + 1], [own + 1], [1.5])[0] < log_e_not_worse([weight], [events], [own], [1.5])[0]


def test_weights_add_up_and_no_events_say_nothing() -> None:
    together = log_growth(0.1, 3, 1) + log_growth(0.5, 4, 2)
    assert float(log_e_worse([0.1, 0.5], [3, 4], [1, 2])) == pytest.approx(float(log_mean(together)))
    assert float(log_e_worse([], [], [])) == pytest.approx(0.0)
    np.testing.assert_allclose(log_e_not_worse([], [], [], [4.0, 1.5]), 0.0, atol=1e-12)


def test_a_million_events_stay_finite() -> None:
    assert np.isfinite(log_e_worse([0.05], [1_000_000], [1_000_000]))
    assert np.isfinite(log_e_not_worse([0.05], [1_000_000], [1_000_000], [1.5])).all()
