"""False discoveries among segments, and false alarms within a year."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stats.budget import e_bh, share
from lockgate.stats.odds import log_e_worse

e_values = st.lists(st.floats(-5, 8), min_size=1, max_size=12)
alphas = st.sampled_from([0.01, 0.1, 0.3])


@given(e_values, alphas)
def test_the_rejected_are_the_most_whose_smallest_reaches_its_bar(logs: list[float], alpha: float) -> None:
    """By the definition: a set of size k is self-consistent if all its e-values are at least K / (k·α)."""
    ranked = sorted(logs, reverse=True)
    sizes = [k for k in range(1, len(logs) + 1) if np.exp(ranked[k - 1]) * k * alpha >= len(logs) * (1 - 1e-12)]
    found = e_bh(logs, alpha)
    assert len(found) == max(sizes, default=0)
    assert {logs[i] for i in found} <= set(ranked[: len(found)])
    assert found.tolist() == sorted(found.tolist())


@given(e_values, alphas, st.data())
def test_the_order_of_the_segments_does_not_count(logs: list[float], alpha: float, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(logs))))
    found = e_bh([logs[i] for i in order], alpha)
    assert sorted(logs[order[i]] for i in found) == sorted(logs[i] for i in e_bh(logs, alpha))


@given(e_values, st.integers(0, 11), alphas)
def test_more_evidence_never_takes_a_rejection_back(logs: list[float], where: int, alpha: float) -> None:
    stronger = list(logs)
    stronger[where % len(logs)] += 2.0
    assert set(e_bh(logs, alpha)) <= set(e_bh(stronger, alpha))


def test_alone_it_is_the_bar_of_one_test_and_nothing_may_be_found() -> None:
    assert e_bh([log(100.1)], 0.01).tolist() == [0]
    assert e_bh([log(99.9)], 0.01).tolist() == []
    assert e_bh([], 0.01).tolist() == []


def test_false_discoveries_stay_below_alpha_and_harm_is_found() -> None:
    """2,000 rollouts of 20 segments, 5 of them with three times the odds; each stops at the first discovery, or after 8 looks."""
    random, alpha = np.random.default_rng(18), 0.2
    own = random.binomial(10, np.where(np.arange(20) < 5, 0.25, 0.1), size=(8, 2000, 20)).cumsum(axis=0)
    looks = [log_e_worse([0.1], np.full((2000, 20, 1), 10 * look), own[look - 1, ..., np.newaxis]) for look in range(1, 9)]
    false, true = np.zeros(2000), np.zeros(2000)
    for rollout in range(2000):
        found = next((f for logs in looks if len(f := e_bh(logs[rollout], alpha))), np.array([]))
        false[rollout], true[rollout] = (found >= 5).sum() / max(len(found), 1), (found < 5).sum()
    assert false.mean() <= alpha
    assert (true > 0).mean() > 0.7


def test_the_shares_of_a_year_add_up_to_less_than_its_budget() -> None:
    shares = [share(j, 0.05) for j in range(1, 2001)]
    assert shares[0] == pytest.approx(0.025)
    assert shares == sorted(shares, reverse=True)
    assert 0.0499 < sum(shares) < 0.05


@pytest.mark.parametrize(("rollout", "yearly"), [(0, 0.05), (-1, 0.05), (1, 0.0), (1, 1.0)])
def test_what_is_no_share_is_refused(rollout: int, yearly: float) -> None:
    with pytest.raises(ValueError, match="found"):
        share(rollout, yearly)
