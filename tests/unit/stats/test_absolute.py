"""The one-sample e-processes: fair at the edge, less inside the null, finite however far from it."""

from __future__ import annotations

from collections.abc import Callable
from math import log, log1p

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammaln, xlog1py, xlogy

from lockgate.stats.absolute import log_e_above, log_e_below

floors = st.floats(0.001, 0.9)
limits = st.floats(0.001, 0.99)


def mean(log_e: Callable[..., np.ndarray], trials: int, rate: float, edge: float) -> float:
    events = np.arange(trials + 1)
    chance = (
        gammaln(trials + 1)
        - gammaln(events + 1)
        - gammaln(trials - events + 1)
        + xlogy(events, rate)
        + xlog1py(trials - events, -rate)
    )
    return float(np.exp(chance + log_e(trials, events, edge)).sum())


def by_quadrature(trials: int, events: int, inside: float, edge: float) -> float:
    """The log of the spread half, integrated over p from `edge` to `inside`, on points that crowd at the edge."""
    p = np.clip(edge + (inside - edge) * np.geomspace(1e-14, 1, 400_001), 1e-300, 1 - 1e-15)
    prior = -0.5 * (np.log(p) + np.log1p(-p))
    bet = events * (np.log(p) - log(edge)) + (trials - events) * (np.log1p(-p) - log1p(-edge))
    mass = np.pi - 2 * np.arcsin(np.sqrt(edge)) if inside > edge else 2 * np.arcsin(np.sqrt(edge))
    return float(np.log(abs(np.trapezoid(np.exp(prior + bet), p)) / mass))


@given(st.integers(0, 400), floors)
def test_the_mean_of_below_is_one_at_the_floor_and_less_above(trials: int, floor: float) -> None:
    assert mean(log_e_below, trials, floor, floor) == pytest.approx(1.0)
    assert mean(log_e_below, trials, min(1.0, 1.2 * floor), floor) <= 1 + 1e-9
    assert mean(log_e_below, trials, 1.0, floor) <= 1 + 1e-9


@given(st.integers(0, 400), limits)
def test_the_mean_of_above_is_one_at_the_limit_and_less_below(trials: int, limit: float) -> None:
    assert mean(log_e_above, trials, limit, limit) == pytest.approx(1.0)
    for part in (0.0, 0.5, 0.9):
        assert mean(log_e_above, trials, part * limit, limit) <= 1 + 1e-9


@pytest.mark.parametrize("log_e", [log_e_below, log_e_above])
def test_each_further_trial_is_a_fair_bet_too(log_e: Callable[..., np.ndarray]) -> None:
    """A martingale at the edge: after any past the mean of the next value is the present one."""
    for trials, events in ((0, 0), (5, 0), (5, 2), (40, 1), (40, 39)):
        edge = 0.1
        hit, miss = (float(np.exp(log_e(trials + 1, events + k, edge))) for k in (1, 0))
        assert edge * hit + (1 - edge) * miss == pytest.approx(float(np.exp(log_e(trials, events, edge))))


def test_without_an_event_it_grows_by_the_atom() -> None:
    trials, floor = 1000, 0.005
    assert float(log_e_below(trials, 0, floor)) == pytest.approx(-trials * log1p(-floor) + log(0.5), abs=0.5)


def test_one_event_costs_the_atom() -> None:
    assert log_e_below(2000, 1, 0.005) < log_e_below(2000, 0, 0.005) - 2


@given(st.integers(1, 500), limits, st.data())
def test_one_more_event_speaks_for_above(trials: int, limit: float, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, trials - 1))
    assert log_e_above(trials, events + 1, limit) > log_e_above(trials, events, limit)


@pytest.mark.parametrize(("trials", "events"), [(1000, 30), (10_000, 300), (100_000, 1000), (10_000_000, 400_000)])
def test_far_below_the_limit_the_capital_is_small_but_right(trials: int, events: int) -> None:
    """From the second row on the incomplete beta function underflows."""
    assert float(log_e_above(trials, events, 0.05)) == pytest.approx(by_quadrature(trials, events, 1.0, 0.05), abs=2e-3)


@pytest.mark.parametrize(("trials", "events"), [(100_000, 90_000), (1_000_000, 7000)])
def test_far_above_the_floor_the_capital_is_small_but_right(trials: int, events: int) -> None:
    expected = by_quadrature(trials, events, 0.0, 0.005) + log(0.5)
    assert float(log_e_below(trials, events, 0.005)) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("limit", [1e-300, 1e-12, 0.5, 1 - 1e-12, float(np.nextafter(1, 0))])
def test_above_is_finite_for_limits_at_the_ends_of_the_scale(limit: float) -> None:
    trials = np.array([0, 1, 1, 100, 1_000_000, 1_000_000, 10**9, 10**9])
    events = np.array([0, 0, 1, 50, 0, 1_000_000, 3, 10**9])
    assert np.isfinite(log_e_above(trials, events, limit)).all()
    assert float(log_e_above(0, 0, limit)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("limit", [0.0, 1.0, -0.1, float("nan")])
def test_a_limit_that_can_not_be_tested_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1, both excluded; found"):
        log_e_above(10, 1, limit)


@pytest.mark.parametrize(("rate", "least", "most"), [(0.05, 0.0, 0.1), (0.04, 0.0, 0.02), (0.08, 0.95, 1.0)])
def test_above_with_a_look_after_every_block(rate: float, least: float, most: float) -> None:
    """2,000 streams of 4,000 trials against a limit of 5 %, at an alpha of 10 %."""
    random = np.random.default_rng(11)
    events = random.binomial(40, rate, size=(2000, 100)).cumsum(axis=1)
    alarms = (log_e_above(40 * np.arange(1, 101), events, 0.05) >= log(10)).any(axis=1)
    assert least <= alarms.mean() <= most


def test_arguments_broadcast() -> None:
    assert log_e_below([[10], [20]], [0, 1, 2], 0.1).shape == (2, 3)
    assert log_e_above([[10], [20]], [0, 1, 2], 0.1).shape == (2, 3)
