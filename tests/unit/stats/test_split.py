"""Sample-ratio mismatch: fair for the planned shares, by enumeration, and quick when they are not met."""

from __future__ import annotations

from itertools import product
from math import factorial, log, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stats.split import Split, begin, step

THREE = (0.1, 0.3, 0.6)


def outcomes(keys: int, arms: int) -> list[tuple[int, ...]]:
    return [counts for counts in product(range(keys + 1), repeat=arms) if sum(counts) == keys]


def chance(counts: tuple[int, ...], shares: tuple[float, ...]) -> float:
    ways = factorial(sum(counts)) / prod(factorial(count) for count in counts)
    return ways * prod(share**count for share, count in zip(shares, counts, strict=True))


@pytest.mark.parametrize("then", [THREE, (0.5, 0.25, 0.25)])
def test_the_mean_is_one_for_the_planned_shares_over_blocks_and_a_change_of_weights(then: tuple[float, ...]) -> None:
    """A large first block that was off already, so that the bets are no longer even; then all outcomes of two more."""
    off = step(begin(3), [400, 100, 200], THREE)
    total = more = 0.0
    real = (0.2, 0.3, 0.5)
    for first, second in product(outcomes(5, 3), outcomes(4, 3)):
        log_e = float(step(step(off, first, THREE), second, then).log_e) - float(off.log_e)
        total += chance(first, THREE) * chance(second, then) * np.exp(log_e)
        more += chance(first, real) * chance(second, then) * np.exp(log_e)
    assert total == pytest.approx(1.0)
    assert more > 1.05


def test_a_block_is_the_product_of_its_keys_under_the_shares_of_its_beginning() -> None:
    w = np.array(THREE)
    state = step(begin(3), [30, 20, 60], w)
    tilted = w * (np.array([30, 20, 60]) + 200) / (110 * w + 200)
    pred = tilted / tilted.sum()
    growth = float(step(state, [2, 0, 5], w).log_e) - float(state.log_e)
    assert growth == pytest.approx(2 * log(pred[0] / w[0]) + 5 * log(pred[2] / w[2]))
    assert float(state.log_e) == 0.0  # the first block meets even bets


@given(st.lists(st.tuples(*[st.integers(0, 40)] * 3), max_size=12))
def test_counts_and_expectations_add_up(blocks: list[tuple[int, ...]]) -> None:
    state = begin(3)
    for block in blocks:
        state = step(state, block, THREE)
    total = np.array(blocks).reshape(-1, 3).sum()
    np.testing.assert_allclose(state.expected, total * np.array(THREE))
    assert state.counts.sum() == total


def test_an_empty_block_changes_nothing_and_states_go_on_from_plain_numbers() -> None:
    state = step(begin(2), [30, 50], (0.5, 0.5))
    again = step(state, [0, 0], (0.9, 0.1))
    np.testing.assert_array_equal(again.counts, state.counts)
    assert float(again.log_e) == float(state.log_e)
    rebuilt = Split(np.array(state.counts.tolist()), np.array(state.expected.tolist()), float(state.log_e))
    assert float(step(rebuilt, [3, 5], (0.5, 0.5)).log_e) == float(step(state, [3, 5], (0.5, 0.5)).log_e)


def test_a_key_on_an_arm_without_weight_proves_the_fault() -> None:
    state = step(begin(2), [50, 0], (1.0, 0.0))
    assert float(state.log_e) == pytest.approx(0.0)
    broken = step(state, [50, 1], (1.0, 0.0))
    assert float(broken.log_e) == np.inf
    assert float(step(broken, [5, 5], (0.5, 0.5)).log_e) == np.inf


@pytest.mark.parametrize("weights", [(0.5, 0.6), (1.2, -0.2), (0.1, 0.3)])
def test_weights_that_are_no_shares_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"must add up to 1, none of them negative; found \["):
        step(begin(2), [1, 1], weights)


def alarms(factor: float, alpha: float) -> np.ndarray:
    """2,000 routers over a ramp of the canary, 20,000 keys in 200 blocks; its real share is `factor` × the planned one."""
    random = np.random.default_rng(12)
    state = Split(np.zeros((2000, 2)), np.zeros((2000, 2)), np.zeros(2000))
    found = np.zeros(2000, dtype=bool)
    for block in range(200):
        w = (0.01, 0.05, 0.1, 0.25)[block // 50]
        canary = random.binomial(100, factor * w, size=2000)
        state = step(state, np.stack([canary, 100 - canary], axis=-1), (w, 1 - w))
        found |= np.asarray(state.log_e) >= -log(alpha)
    return found


def test_alarms_with_a_look_after_every_block() -> None:
    assert alarms(1.0, 0.1).mean() <= 0.1
    assert alarms(1.2, 0.001).mean() >= 0.9
    assert alarms(0.8, 0.001).mean() >= 0.9
