"""Outcomes of one arm at a time, weighted by a known propensity: the right mean, and never outside the scale."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stats.betting import Capital, fold, step
from lockgate.stats.propensity import difference, unit_difference, unit_outcomes

FLOOR = 0.1
units = st.floats(0, 1)


@given(st.floats(FLOOR, 1 - FLOOR), units, units, units)
def test_the_mean_over_the_arms_is_the_difference_whatever_the_centre(w: float, own: float, other: float, centre: float) -> None:
    on_canary, on_baseline = unit_outcomes([own, other], [True, False], w, FLOOR, centre)
    assert w * on_canary + (1 - w) * on_baseline == pytest.approx(float(unit_difference(own - other, FLOOR)))


@given(st.sampled_from([0.01, 0.05, 0.1, 0.3, 0.5]), units, st.booleans(), units, units)
def test_it_stays_within_the_scale(floor: float, outcome: float, canary: bool, part: float, centre: float) -> None:  # noqa: FBT001
    w = floor + part * (1 - 2 * floor)
    found = float(unit_outcomes(outcome, canary, min(max(w, floor), 1 - floor), floor, centre))
    assert 0 <= found <= 1


@given(st.floats(-1, 1), st.floats(0.01, 0.5))
def test_the_scale_can_be_turned_back(apart: float, floor: float) -> None:
    assert float(difference(unit_difference(apart, floor), floor)) == pytest.approx(apart)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"propensities must lie in \[0\.1, 0\.9\]; found 0\.05"):
        unit_outcomes([1.0], [True], 0.05, FLOOR)
    with pytest.raises(ValueError, match="values must lie in"):
        unit_outcomes([1.2], [True], 0.5, FLOOR)
    with pytest.raises(ValueError, match=r"at most 0\.5; found 0\.6"):
        unit_outcomes([1.0], [True], 0.5, 0.6)


@pytest.mark.parametrize(("canary_rate", "least", "most"), [(0.5, 0.0, 0.1), (0.25, 0.9, 1.0)])
def test_a_greedy_bandit_does_not_raise_alarms_on_equal_arms(canary_rate: float, least: float, most: float) -> None:
    """2,000 bandits that give 80 % to the arm with more successes so far; "the canary is not worse" at an alpha of 10 %."""
    random = np.random.default_rng(9)
    good, seen = np.ones((2, 2000)), np.full((2, 2000), 2.0)
    state, alarms = Capital(0.5), np.zeros(2000, dtype=bool)
    for _ in range(1500):
        w = np.where(good[0] / seen[0] >= good[1] / seen[1], 0.8, 0.2)
        canary = random.random(2000) < w
        outcome = (random.random(2000) < np.where(canary, canary_rate, 0.5)).astype(float)
        centre = good.sum(axis=0) / seen.sum(axis=0)
        state = step(state, unit_outcomes(outcome, canary, w, 0.2, centre))
        alarms |= np.asarray(state.log_at_least) >= log(10)
        for arm, met in enumerate((canary, ~canary)):
            good[arm] += outcome * met
            seen[arm] += met
    assert least <= alarms.mean() <= most


def test_a_centre_near_the_outcomes_makes_the_values_vary_less() -> None:
    random = np.random.default_rng(10)
    canary = random.random(20_000) < 0.1
    outcome = (random.random(20_000) < 0.97).astype(float)
    spread = [unit_outcomes(outcome, canary, 0.1, FLOOR, centre).std() for centre in (0.0, 0.5, 0.97)]
    assert spread[0] > 1.5 * spread[1] > 3 * spread[2]
    assert float(fold(Capital(0.5), unit_outcomes(outcome, canary, 0.1, FLOOR, 0.97)).log_at_most) < log(10)
