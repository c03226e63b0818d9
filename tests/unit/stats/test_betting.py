"""Capital from bets on a bounded mean: fair at the edge by enumeration, the same in one go and step by step."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stats.betting import Capital, fold, step
from lockgate.stats.moments import Moments

edges = st.floats(0.02, 0.98)
units = st.floats(0, 1)


def by_hand(edge: float, values: list[float]) -> tuple[float, float]:
    """Both capitals by the formulas, one value after the other."""
    up = down = 0.0
    for t in range(len(values)):
        seen = values[:t]
        means = [(0.5 + sum(values[: i + 1])) / (i + 2) for i in range(t)]
        mean = means[-1] if means else 0.5
        variance = (0.25 + sum((x - m) ** 2 for x, m in zip(seen, means, strict=True))) / (t + 1)
        bet = (mean - edge) / (variance + (mean - edge) ** 2)
        up += log(1 + min(max(bet, 0), 0.75 / edge) * (values[t] - edge))
        down += log(1 + max(min(bet, 0), -0.75 / (1 - edge)) * (values[t] - edge))
    return up, down


@given(edges, st.lists(units, max_size=30))
def test_the_capitals_are_those_of_the_formulas(edge: float, values: list[float]) -> None:
    state = fold(Capital(edge), values)
    assert (float(state.log_at_most), float(state.log_at_least)) == pytest.approx(by_hand(edge, values), abs=1e-9)


@given(edges, st.lists(units, min_size=1, max_size=40), st.data())
def test_a_fold_is_the_same_as_steps_and_as_folds_of_its_parts(edge: float, values: list[float], data: st.DataObject) -> None:
    at_once = fold(Capital(edge), values)
    stepped = Capital(edge)
    for value in values:
        stepped = step(stepped, value)
    cut = data.draw(st.integers(0, len(values)))
    for other in (stepped, fold(fold(Capital(edge), values[:cut]), values[cut:])):
        assert other.seen.n == at_once.seen.n == len(values)
        assert float(other.log_at_most) == pytest.approx(float(at_once.log_at_most), abs=1e-12)
        assert float(other.log_at_least) == pytest.approx(float(at_once.log_at_least), abs=1e-12)


def means(state: Capital, chance: np.ndarray) -> tuple[float, float]:
    return float((chance * np.exp(state.log_at_most)).sum()), float((chance * np.exp(state.log_at_least)).sum())


@pytest.mark.parametrize("edge", [0.2, 0.3, 0.5, 0.8])
def test_the_mean_is_one_at_the_edge_and_less_inside_the_null(edge: float) -> None:
    """All sequences of nine values of 0 or 1."""
    coins = np.array(list(product((0.0, 1.0), repeat=9)))
    state = fold(Capital(edge), coins)
    at, below, above = (
        means(state, (rate**coins * (1 - rate) ** (1 - coins)).prod(axis=1)) for rate in (edge, edge / 2, (1 + edge) / 2)
    )
    assert at == pytest.approx((1.0, 1.0))
    assert below[0] < 1 < below[1]
    assert above[1] < 1 < above[0]


@pytest.mark.parametrize("edge", [0.2, 0.3, 0.5, 0.8])
def test_it_is_fair_for_other_values_than_coins(edge: float) -> None:
    """All sequences of six values from {0, edge / 2, 1}, with a mean at the edge."""
    values, chances = np.array([0.0, edge / 2, 1.0]), np.array([0.9 - 0.95 * edge, 0.1, 0.95 * edge])
    drawn = np.array(list(product(range(3), repeat=6)))
    assert means(fold(Capital(edge), values[drawn]), chances[drawn].prod(axis=1)) == pytest.approx((1.0, 1.0))


def test_many_edges_and_many_streams_at_once() -> None:
    values = np.random.default_rng(2).random((5, 30))
    grid = np.array([0.2, 0.5, 0.8])
    edges = fold(Capital(grid), values[0])
    streams = fold(Capital(0.5), values)
    both = fold(Capital(grid), values[:, np.newaxis, :])
    for i, edge in enumerate(grid):
        assert np.asarray(edges.log_at_most)[i] == pytest.approx(float(fold(Capital(float(edge)), values[0]).log_at_most))
    np.testing.assert_allclose(np.asarray(both.log_at_least)[:, 1], streams.log_at_least)
    np.testing.assert_allclose(np.asarray(both.log_at_most)[0], edges.log_at_most)


def test_a_state_is_plain_numbers_and_goes_on_from_them() -> None:
    values = [0.1, 0.9, 0.4, 0.0, 1.0]
    state = fold(Capital(0.4), values[:3])
    seen = Moments(state.seen.n, float(state.seen.total), float(state.seen.squares))
    rebuilt = replace(Capital(0.4, seen, float(state.log_at_most)), log_at_least=float(state.log_at_least))
    assert float(fold(rebuilt, values[3:]).log_at_least) == float(fold(state, values[3:]).log_at_least)


def test_the_worst_value_leaves_a_quarter_of_the_capital() -> None:
    state = fold(Capital(0.5), np.ones(1000))
    assert float(state.log_at_most) > 500
    assert float(step(state, 0.0).log_at_most) - float(state.log_at_most) == pytest.approx(log(0.25))
    mirrored = fold(Capital(0.5), np.zeros(1000))
    assert float(step(mirrored, 1.0).log_at_least) - float(mirrored.log_at_least) == pytest.approx(log(0.25))


@pytest.mark.parametrize("edge", [0.0, 1.0, float("nan"), 2.0])
def test_an_edge_at_the_end_of_the_scale_is_refused(edge: float) -> None:
    with pytest.raises(ValueError, match="both excluded; found"):
        Capital(edge)


def test_values_outside_the_scale_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found 1\.5"):
        step(Capital(0.5), 1.5)


def paths(mean: float, kind: str, random: np.random.Generator) -> np.ndarray:
    if kind == "coins":
        return (random.random((2000, 1000)) < mean).astype(float)
    if kind == "spread":
        return random.beta(4 * mean, 4 * (1 - mean), size=(2000, 1000))
    wide = (random.random((2000, 1000)) < mean).astype(float)  # the width of a value follows the ones before it
    wide[:, 1::2] = np.where(wide[:, ::2] > 0, mean, wide[:, 1::2])
    return wide


@pytest.mark.parametrize("kind", ["coins", "spread", "dependent"])
@pytest.mark.parametrize("mean", [0.2, 0.26, 0.14])
def test_alarms_with_a_look_after_every_block(kind: str, mean: float) -> None:
    """2,000 streams of 1,000 values against an edge of 0.2, at an alpha of 10 %."""
    values = paths(mean, kind, np.random.default_rng(7))
    state = Capital(0.2)
    most = least = np.zeros(2000, dtype=bool)
    for block in np.split(values, 50, axis=1):
        state = fold(state, block)
        most = most | (np.asarray(state.log_at_most) >= log(10))
        least = least | (np.asarray(state.log_at_least) >= log(10))
    if mean <= 0.2:
        assert most.mean() <= (0.1 if mean == 0.2 else 0.05)
    if mean >= 0.2:
        assert least.mean() <= (0.1 if mean == 0.2 else 0.05)
    if mean != 0.2:
        assert (most if mean > 0.2 else least).mean() >= 0.9
