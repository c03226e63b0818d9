"""Binned predictions of two arms: fair inside the tolerance by enumeration, and the same for both arms' points of view."""

from __future__ import annotations

from itertools import product
from math import comb, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stats.bins import log_e_by_bin, log_e_differs
from lockgate.stats.combine import log_mean
from lockgate.stats.odds import HIGHER, log_e_worse, null_share


def mean(weight: float, canary: tuple[float, ...], baseline: tuple[float, ...], ratio: float, units: int) -> float:
    """Over everything that can happen to `units` units: the arm of each, and the bin of its prediction."""
    kinds = [(arm, bin_) for arm in (0, 1) for bin_ in range(len(canary))]
    chances = [weight * canary[bin_] if arm else (1 - weight) * baseline[bin_] for arm, bin_ in kinds]
    total = 0.0
    for outcome in product(range(len(kinds)), repeat=units):
        events, own = np.zeros((len(canary), 1)), np.zeros((len(canary), 1))
        for kind in outcome:
            arm, bin_ = kinds[kind]
            events[bin_] += 1
            own[bin_] += arm
        total += float(np.prod([chances[kind] for kind in outcome]) * np.exp(log_e_differs([weight], events, own, ratio)))
    return total


@pytest.mark.parametrize("weight", [0.05, 0.5])
def test_the_mean_is_one_for_equal_arms_without_a_tolerance(weight: float) -> None:
    assert mean(weight, (0.2, 0.8), (0.2, 0.8), ratio=1.0, units=4) == pytest.approx(1.0)


@pytest.mark.parametrize("canary", [(0.2, 0.8), (0.25, 0.75), (0.16, 0.84)])
def test_the_mean_is_at_most_one_within_the_tolerance(canary: tuple[float, ...]) -> None:
    assert mean(0.3, canary, (0.2, 0.8), ratio=1.25, units=4) <= 1 + 1e-9


def test_beyond_the_tolerance_the_capital_grows() -> None:
    assert mean(0.3, (0.9, 0.1), (0.1, 0.9), ratio=1.25, units=4) > 1.1


@given(st.floats(0.01, 0.9), st.floats(1.0, 4.0), st.integers(0, 25))
def test_each_side_is_fair_at_its_own_edge(weight: float, ratio: float, events: int) -> None:
    """At the upper edge the bets on "more" have a mean of 1, and those on "less" of no more; at the lower one the reverse."""
    own = np.arange(events + 1)
    more = np.exp([float(log_e_worse([weight], [events], [k], ratio)) for k in own])
    both = np.exp(log_e_by_bin([weight], np.full((events + 1, 1), events), own[:, np.newaxis], ratio))
    less = 2 * both - more
    for edge, fair, other in ((ratio, more, less), (1 / ratio, less, more)):
        share = float(null_share(weight, edge))
        ways = np.array([comb(events, int(k)) for k in own])
        chances = ways * share**own * (1 - share) ** (events - own)
        assert float((chances * fair).sum()) == pytest.approx(1.0)
        assert float((chances * other).sum()) <= 1 + 1e-9


@given(st.floats(0.01, 0.99), st.floats(1.0, 4.0), st.integers(0, 300), st.data())
def test_both_arms_see_the_same_difference(weight: float, ratio: float, events: int, data: st.DataObject) -> None:
    own = data.draw(st.integers(0, events))
    here = float(log_e_by_bin([weight], [[events]], [[own]], ratio)[0])
    there = float(log_e_by_bin([1 - weight], [[events]], [[events - own]], ratio)[0])
    assert here == pytest.approx(there, abs=1e-6)


def test_bins_are_averaged_and_their_order_does_not_count() -> None:
    weight, events, own = [0.1, 0.5], np.array([[40, 9], [50, 70], [3, 0]]), np.array([[30, 5], [2, 30], [0, 0]])
    by_bin = log_e_by_bin(weight, events, own)
    assert by_bin.shape == (3,)
    assert by_bin[2] == pytest.approx(float(log_e_by_bin([0.1], [[3]], [[0]])[0]))
    assert float(log_e_differs(weight, events, own)) == pytest.approx(float(log_mean(by_bin)))
    assert float(log_e_differs(weight, events[::-1], own[::-1])) == pytest.approx(float(log_mean(by_bin)))
    assert float(log_e_differs(weight[::-1], events[:, ::-1], own[:, ::-1])) == pytest.approx(float(log_mean(by_bin)))
    assert by_bin.argmax() == 0
    assert len(HIGHER) == 8


def test_a_tolerance_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 1; found 0\.8"):
        log_e_by_bin([0.1], [[1]], [[1]], 0.8)


@pytest.mark.parametrize(
    ("canary", "least", "most"),
    [((0.25, 0.35, 0.4), 0.0, 0.1), ((0.2, 0.35, 0.45), 0.0, 0.1), ((0.4, 0.3, 0.3), 0.95, 1.0), ((0.1, 0.4, 0.5), 0.95, 1.0)],
)
def test_alarms_with_a_look_after_every_block(canary: tuple[float, ...], least: float, most: float) -> None:
    """2,000 rollouts of 12,000 requests, 10 then 30 % on the canary, shares of .2, .35 and .45; tolerance 1.25, alpha 10 %."""
    random, baseline = np.random.default_rng(13), (0.2, 0.35, 0.45)
    events, own = np.zeros((2000, 3, 2)), np.zeros((2000, 3, 2))
    alarms = np.zeros(2000, dtype=bool)
    for block in range(60):
        column = block // 30
        on_canary = random.binomial(200, (0.1, 0.3)[column], size=2000)
        theirs = random.multinomial(on_canary, canary)
        own[..., column] += theirs
        events[..., column] += theirs + random.multinomial(200 - on_canary, baseline)
        alarms |= log_e_differs([0.1, 0.3], events, own) >= log(10)
    assert least <= alarms.mean() <= most
