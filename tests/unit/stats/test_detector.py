"""Detectors of a change: the mean of Shiryaev-Roberts is the number of steps, by enumeration, and alarms are that rare."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stats.detector import alarm, begin, cusum, shiryaev_roberts
from lockgate.stats.odds import HIGHER, log_growth, null_share

Update = Callable[[np.ndarray, np.ndarray], np.ndarray]


@pytest.mark.parametrize("ratio", [1.0, 1.5])
def test_before_a_change_the_mean_is_the_number_of_steps_and_cusum_is_below(ratio: float) -> None:
    """Ten steps of one event each, the canary's with the probability of the null: all sequences, all bets."""
    share, steps = float(null_share(0.2, ratio)), 10
    paths = np.array(list(product((0, 1), repeat=steps)))
    chance = (share**paths * (1 - share) ** (1 - paths)).prod(axis=1)[:, np.newaxis]
    roberts = largest = np.tile(begin(len(HIGHER)), (len(paths), 1))
    for step in range(steps):
        growth = log_growth(0.2, 1, paths[:, step], ratio)
        roberts, largest = shiryaev_roberts(roberts, growth), cusum(largest, growth)
        assert np.all(largest <= roberts + 1e-12)
        np.testing.assert_allclose((chance * np.exp(roberts)).sum(axis=0), step + 1)
        assert np.all((chance * np.exp(largest)).sum(axis=0) <= step + 1 + 1e-9)


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=20))
def test_they_are_the_sum_and_the_largest_of_bets_started_at_every_step(increments: list[float]) -> None:
    roberts = largest = begin(1)
    for increment in increments:
        roberts, largest = shiryaev_roberts(roberts, [increment]), cusum(largest, [increment])
    started = [sum(increments[start:]) for start in range(len(increments))]
    assert float(roberts[0]) == pytest.approx(float(np.logaddexp.reduce(started)), abs=1e-9)
    assert float(largest[0]) == pytest.approx(max(started), abs=1e-9)


def test_the_alarm_is_on_the_average_over_the_bets() -> None:
    logs = np.log([[19.0, 1.2], [18.0, 1.9]])
    assert alarm(logs, 0.1).tolist() == [True, False]


def test_a_state_can_always_be_written() -> None:
    state = begin(2)
    for growth in ([-np.inf, -5e4], [0.0, 0.0], [-np.inf, 3.0]):
        state = shiryaev_roberts(state, growth)
        assert np.isfinite(np.array(json.loads(json.dumps(state.tolist())))).all()
    assert state[1] == pytest.approx(np.log(2) + 3)  # both of the bets that were lost or begun since


def run_length(update: Update, canary_share: float, alpha: float, before: int, blocks: int) -> np.ndarray:
    """For 2,000 streams of blocks of 5 events, the first block with an alarm (or `blocks`); the canary's share is .1 at first."""
    random = np.random.default_rng(14)
    state, length = np.tile(begin(len(HIGHER)), (2000, 1)), np.full(2000, blocks)
    for block in range(blocks):
        own = random.binomial(5, canary_share if block >= before else 0.1, size=2000)
        state = update(state, log_growth(0.1, 5, own))
        length = np.where(alarm(state, alpha) & (length == blocks), block + 1, length)
    return length


@pytest.mark.parametrize("update", [shiryaev_roberts, cusum])
def test_false_alarms_are_as_seldom_as_promised(update: Update) -> None:
    """The average over runs that are cut at 600 blocks is no longer than the true one, and still above 1/α = 200."""
    assert run_length(update, 0.1, 1 / 200, before=0, blocks=600).mean() >= 200


@pytest.mark.parametrize("update", [shiryaev_roberts, cusum])
def test_a_late_change_is_found_soon(update: Update) -> None:
    """After 500 good blocks the canary's share of the events rises from .1 to .3, at an average run length of 1e5 blocks."""
    lengths = run_length(update, 0.3, 1e-5, before=500, blocks=600)
    assert (lengths <= 500).mean() < 0.02
    assert np.median(lengths) < 530
    assert (lengths < 600).mean() > 0.99
