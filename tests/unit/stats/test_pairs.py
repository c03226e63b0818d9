"""The sequential McNemar test: the game on the share of events at even weights."""

from __future__ import annotations

from math import comb, exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stats.odds import log_e_not_worse, log_e_worse
from lockgate.stats.pairs import log_e_pair_not_worse, log_e_pair_worse

ratios = st.floats(1.0, 5.0)


def mean_over_pairs(log_e: np.ndarray, true_ratio: float) -> float:
    """The mean of an e-value by how many of the discordant pairs are the shadow's fault."""
    discordant, share = len(log_e) - 1, true_ratio / (1 + true_ratio)
    return sum(
        comb(discordant, own) * share**own * (1 - share) ** (discordant - own) * exp(log_e[own]) for own in range(discordant + 1)
    )


@given(ratios, st.integers(0, 40))
def test_the_mean_of_worse_is_one_at_the_null_and_less_below(ratio: float, discordant: int) -> None:
    log_e = log_e_pair_worse(discordant, np.arange(discordant + 1), ratio)
    assert mean_over_pairs(log_e, ratio) == pytest.approx(1.0)
    for part in (0.0, 0.5, 0.9):
        assert mean_over_pairs(log_e, part * ratio) <= 1 + 1e-9


@given(ratios, st.integers(0, 40))
def test_the_mean_of_not_worse_is_one_at_the_null_and_less_above(ratio: float, discordant: int) -> None:
    log_e = log_e_pair_not_worse(discordant, np.arange(discordant + 1), ratio)
    assert mean_over_pairs(log_e, ratio) == pytest.approx(1.0)
    for times in (1.1, 2.0, 50.0):
        assert mean_over_pairs(log_e, times * ratio) <= 1 + 1e-9


@given(st.integers(0, 1000), ratios, st.data())
def test_it_is_the_game_of_the_canary_at_a_weight_of_one_half(discordant: int, ratio: float, data: st.DataObject) -> None:
    own = data.draw(st.integers(0, discordant))
    assert float(log_e_pair_worse(discordant, own, ratio)) == pytest.approx(float(log_e_worse([0.5], [discordant], [own], ratio)))
    safe = float(log_e_not_worse([0.5], [discordant], [own], [ratio])[0])
    assert float(log_e_pair_not_worse(discordant, own, ratio)) == pytest.approx(safe)


def test_arguments_broadcast() -> None:
    assert log_e_pair_worse([[10], [20]], [1, 2, 3], 1.5).shape == (2, 3)
    assert log_e_pair_not_worse(10, 3, [1.0, 1.5, 2.0]).shape == (3,)
    own = [float(log_e_pair_not_worse(10, 3, ratio)) for ratio in (1.0, 1.5, 2.0)]
    np.testing.assert_allclose(log_e_pair_not_worse(10, 3, [1.0, 1.5, 2.0]), own)


def test_a_margin_below_one_is_refused() -> None:
    """A bet on "as good" would be one on "worse" there, and the null would not hold it down."""
    with pytest.raises(ValueError, match=r"at least 1; found 0\.9"):
        log_e_pair_not_worse(10, 3, 0.9)


@pytest.mark.parametrize(("shadow", "least", "most"), [(0.1, 0.0, 0.1), (0.08, 0.0, 0.02), (0.14, 0.9, 1.0)])
def test_wrong_answers_with_a_look_after_every_block(shadow: float, least: float, most: float) -> None:
    """2,000 streams of 4,000 pairs, the live model wrong in 10 %, and both wrong in 5 %; alpha 10 %."""
    random = np.random.default_rng(3)
    both = 0.05
    chances = [shadow - both, 0.1 - both, 1 - shadow - 0.1 + 2 * both]
    counts = random.multinomial(20, chances, size=(2000, 200)).cumsum(axis=1)
    alarms = (log_e_pair_worse(counts[..., 0] + counts[..., 1], counts[..., 0]) >= log(10)).any(axis=1)
    assert least <= alarms.mean() <= most


@pytest.mark.parametrize(("shadow", "least", "most"), [(0.125, 0.0, 0.1), (0.1, 0.9, 1.0)])
def test_safety_with_a_look_after_every_block(shadow: float, least: float, most: float) -> None:
    """The same at a margin of 1.5 on discordant pairs: 7.5 % against 5 % is the edge."""
    random = np.random.default_rng(4)
    counts = random.multinomial(20, [shadow - 0.05, 0.05, 1.0 - shadow], size=(2000, 300)).cumsum(axis=1)
    said = (log_e_pair_not_worse(counts[..., 0] + counts[..., 1], counts[..., 0], 1.5) >= log(10)).any(axis=1)
    assert least <= said.mean() <= most
