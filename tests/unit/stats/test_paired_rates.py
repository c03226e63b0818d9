"""The bet on paired rates: fair at the margin, less inside the null, and few trials where two models are nearly one."""

from __future__ import annotations

from math import comb, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stats.paired_rates import BETS, log_e_paired_below
from lockgate.stats.pairs import log_e_pair_not_worse

ratios = st.floats(1.0, 3.0)
counts = st.integers(0, 500)


def mean(trials: int, both: float, own: float, other: float, ratio: float) -> float:
    """Of the e-value after so many trials, over all that can happen; the probabilities of the three kinds of events."""
    total = 0.0
    for b in range(trials + 1):
        for o in range(trials + 1 - b):
            for t in range(trials + 1 - b - o):
                none = trials - b - o - t
                ways = comb(trials, b) * comb(trials - b, o) * comb(trials - b - o, t)
                chance = ways * both**b * own**o * other**t * (1 - both - own - other) ** none
                total += chance * float(np.exp(log_e_paired_below(b, o, t, ratio)))
    return total


@pytest.mark.parametrize(("both", "other"), [(0.3, 0.1), (0.0, 0.2), (0.1, 0.0)])
@pytest.mark.parametrize("ratio", [1.0, 1.2, 2.0])
def test_the_mean_is_one_at_the_margin_and_less_above_it(both: float, other: float, ratio: float) -> None:
    own = ratio * (both + other) - both
    assert mean(8, both, own, other, ratio) == pytest.approx(1.0)
    worse = own + 0.5 * (1 - both - own - other)
    assert mean(8, both, worse, other, ratio) < 1.0


@given(counts, counts, counts, ratios)
def test_an_event_of_own_lowers_it_and_one_of_the_other_or_of_both_raises_it(
    both: int, own: int, other: int, ratio: float
) -> None:
    now = log_e_paired_below(both, own, other, ratio)
    assert log_e_paired_below(both, own + 1, other, ratio) < now
    assert log_e_paired_below(both, own, other + 1, ratio) > now
    assert log_e_paired_below(both + 1, own, other, ratio) >= now


@given(st.lists(st.sampled_from(["both", "own", "other", "none"]), min_size=1, max_size=20), ratios)
def test_a_units_mean_bets_less_than_its_trials_would_on_average(kinds: list[str], ratio: float) -> None:
    """One unit whose outcome is the mean of its trials: the bet on counts divided is below 1 − λ · mean, for each λ."""
    shares = {kind: kinds.count(kind) / len(kinds) for kind in ("both", "own", "other")}
    difference = shares["both"] * (1 - ratio) + shares["own"] - ratio * shares["other"]
    linear = np.mean([1 - bet * difference for bet in BETS])
    assert np.exp(log_e_paired_below(shares["both"], shares["own"], shares["other"], ratio)) <= linear + 1e-9


def test_arguments_broadcast() -> None:
    several = log_e_paired_below([0, 1], [[1], [2], [3]], 4, 1.2)
    assert several.shape == (3, 2)
    assert several[2, 1] == log_e_paired_below(1, 3, 4, 1.2)


def test_two_models_that_err_together_take_a_tenth_of_what_discordant_pairs_would_take() -> None:
    """Both err in 10 of 100 trials, and apart in 5: expected counts at which 1/β = 20 is reached."""
    needed = next(n for n in range(100, 100_000, 100) if log_e_paired_below(0.075 * n, 0.025 * n, 0.025 * n, 1.2) >= log(20))
    discordant = next(n for n in range(100, 100_000, 100) if log_e_pair_not_worse(0.05 * n, 0.025 * n, 1.2) >= log(20))
    assert needed <= 1600
    assert discordant > 10 * needed


def test_a_margin_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 1; found 0\.9"):
        log_e_paired_below(1, 1, 1, 0.9)
