"""Shares from posteriors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stats.allocation import best_probabilities, floored, top_two


def test_the_probability_to_be_best_is_what_sampling_finds() -> None:
    trials, events = np.array([40, 60, 100]), np.array([5, 10, 18])
    random = np.random.default_rng(1)
    drawn = random.beta(1 + events, 1 + trials - events, (200_000, 3))
    for most, chosen in ((True, drawn.argmax(axis=1)), (False, drawn.argmin(axis=1))):
        sampled = np.bincount(chosen, minlength=3) / len(chosen)
        assert best_probabilities(trials, events, most=most) == pytest.approx(sampled, abs=0.005)


def test_before_anything_was_seen_all_are_alike() -> None:
    assert best_probabilities([0, 0, 0], [0, 0, 0], most=True) == pytest.approx([1 / 3] * 3, abs=1e-3)


def test_top_two_is_what_drawing_again_finds() -> None:
    best = np.array([0.7, 0.2, 0.1])
    random = np.random.default_rng(2)
    first, second = random.choice(3, 200_000, p=best), random.choice(3, (200_000, 20), p=best)
    other = np.array([next((b for b in row if b != a), a) for a, row in zip(first[:50_000], second[:50_000], strict=True)])
    chosen = np.where(random.random(50_000) < 0.5, first[:50_000], other)
    assert top_two(best) == pytest.approx(np.bincount(chosen) / 50_000, abs=0.01)


def test_of_what_is_all_but_certain_half_goes_to_the_rivals() -> None:
    assert top_two([1.0, 0.0, 0.0]) == pytest.approx([0.5, 0.25, 0.25], abs=1e-3)


@given(st.lists(st.floats(0.001, 1.0), min_size=2, max_size=6), st.floats(0.01, 0.16))
def test_floored_shares_add_up_and_keep_the_floor(wanted: list[float], floor: float) -> None:
    dealt = floored(wanted, floor)
    points = dealt * 100
    assert points == pytest.approx(points.round())
    assert points.round().sum() == 100
    assert dealt.min() >= floor - 1e-9


def test_a_floor_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 0\.333"):
        floored([0.2, 0.3, 0.5], 0.4)
