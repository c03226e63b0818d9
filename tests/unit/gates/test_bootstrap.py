"""The weighted AUC is exact, and the interval holds the truth about as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lockgate.stats.bootstrap import draws_for, interval, resampled, resamples
from lockgate.stats.ranking import Ranking, auc

# Few distinct scores: ties within and across the classes are the rule.
rows = st.lists(
    st.tuples(st.sampled_from([-1.0, 0.0, 0.1, 0.1 + 1e-16, 0.2, 7.0]), st.booleans(), st.integers(0, 4)), min_size=1, max_size=40
)


@given(rows)
def test_weighted_auc_is_that_of_the_repeated_examples(examples: list[tuple[float, bool, int]]) -> None:
    scores, positive, weights = (np.array(column) for column in zip(*examples, strict=True))
    found = Ranking.of(scores, positive).auc(weights[None, :])[0]
    repeated = np.repeat(positive, weights)
    if len(set(repeated.tolist())) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(roc_auc_score(repeated, np.repeat(scores, weights)), abs=1e-12)


@given(rows)
def test_auc_is_the_share_of_pairs_in_the_right_order(examples: list[tuple[float, bool, int]]) -> None:
    scores, positive, _ = (np.array(column) for column in zip(*examples, strict=True))
    above = scores[positive][:, None] - scores[~positive][None, :]
    if above.size:
        assert auc(scores, positive) == (np.count_nonzero(above > 0) + np.count_nonzero(above == 0) / 2) / above.size
    else:
        assert np.isnan(auc(scores, positive))


@given(st.integers(1, 50), st.integers(1, 60), st.integers(0, 5))
def test_a_resample_draws_as_many_as_there_are(n: int, draws: int, seed: int) -> None:
    weights = np.concatenate(list(resamples(n, draws, seed)))
    assert weights.shape == (draws, n)
    assert (weights.sum(axis=1) == n).all()
    assert (weights >= 0).all()


def test_blocks_do_not_change_how_often_each_example_is_drawn() -> None:
    weights = np.concatenate(list(resamples(30_000, 100, seed=3)))
    assert weights.shape == (100, 30_000)
    assert weights.var() == pytest.approx(1.0, abs=0.01)  # Poisson-like: mean 1, variance 1 - 1/n


def test_large_evaluations_get_fewer_resamples_but_never_too_few() -> None:
    assert draws_for(1_000) == draws_for(20_000) == 2_000
    assert draws_for(50_000) == 800
    assert draws_for(10_000_000) == 400


def test_the_interval_of_an_auc_holds_the_truth_about_as_often_as_it_says() -> None:
    """Positives score normal around 1, negatives around 0: the true AUC is Φ(1/√2) = 0.7602."""
    truth, held, studies, n = 0.76025, 0, 300, 200
    random = np.random.default_rng(11)
    weights = next(resamples(n, 400, seed=5))
    for _ in range(studies):
        positive = np.arange(n) < 80
        ranking = Ranking.of(random.normal(size=n) + positive, positive)
        found = interval(0.0, ranking.auc(weights))
        held += found.low <= truth <= found.high
    # 95 % less what percentiles lose at this size; ±3.8 standard errors of 300 studies.
    assert 0.90 <= held / studies <= 0.985


def test_the_interval_leaves_out_two_and_a_half_percent_at_each_end() -> None:
    found = interval(500.0, np.arange(1_001.0))
    assert (found.point, found.low, found.high) == pytest.approx((500.0, 25.0, 975.0))


def test_the_standard_error_of_a_mean_is_found() -> None:
    losses = np.random.default_rng(1).exponential(size=2_000)
    point, figures = resampled(lambda weights: weights @ losses / len(losses), len(losses), seed=0)
    found = interval(point, figures)
    assert found.point == pytest.approx(losses.mean())
    assert found.error == pytest.approx(losses.std() / np.sqrt(len(losses)), rel=0.05)
    assert found.detectable() == pytest.approx((1.960 + 0.842) * found.error, rel=1e-3)


def test_one_seed_gives_one_interval() -> None:
    scores = np.random.default_rng(2).normal(size=500)
    figure = Ranking.of(scores, scores > 0.3).auc
    assert interval(*resampled(figure, 500, seed=4)) == interval(*resampled(figure, 500, seed=4))


def test_without_any_figure_there_is_no_interval() -> None:
    with pytest.raises(ValueError, match="no resample has a figure"):
        interval(float("nan"), np.array([np.nan, np.nan]))
