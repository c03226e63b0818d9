"""The one-sample e-process for "below the floor": fair at the floor, and able to grow without an event."""

from __future__ import annotations

from math import log, log1p

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammaln, xlog1py, xlogy

from lockgate.stats.absolute import log_e_below

floors = st.floats(0.001, 0.9)


def mean(trials: int, rate: float, floor: float) -> float:
    events = np.arange(trials + 1)
    chance = (
        gammaln(trials + 1)
        - gammaln(events + 1)
        - gammaln(trials - events + 1)
        + xlogy(events, rate)
        + xlog1py(trials - events, -rate)
    )
    return float(np.exp(chance + log_e_below(trials, events, floor)).sum())


@given(st.integers(0, 400), floors)
def test_the_mean_is_one_at_the_floor_and_less_above(trials: int, floor: float) -> None:
    assert mean(trials, floor, floor) == pytest.approx(1.0)
    assert mean(trials, min(1.0, 1.2 * floor), floor) <= 1 + 1e-9
    assert mean(trials, 1.0, floor) <= 1 + 1e-9


def test_each_further_trial_is_a_fair_bet_too() -> None:
    """A martingale at the floor: after any past the mean of the next value is the present one."""
    for trials, events in ((0, 0), (5, 0), (5, 2), (40, 1)):
        floor = 0.1
        hit, miss = (float(np.exp(log_e_below(trials + 1, events + k, floor))) for k in (1, 0))
        assert floor * hit + (1 - floor) * miss == pytest.approx(float(np.exp(log_e_below(trials, events, floor))))


def test_without_an_event_it_grows_by_the_atom() -> None:
    trials, floor = 1000, 0.005
    assert float(log_e_below(trials, 0, floor)) == pytest.approx(-trials * log1p(-floor) + log(0.5), abs=0.5)


def test_one_event_costs_the_atom_and_many_cost_all() -> None:
    assert log_e_below(2000, 1, 0.005) < log_e_below(2000, 0, 0.005) - 2
    assert log_e_below(100_000, 90_000, 0.005) == -np.inf


def test_arguments_broadcast() -> None:
    assert log_e_below([[10], [20]], [0, 1, 2], 0.1).shape == (2, 3)
