"""Predictions that differ are found, by a level of their own; they are never harm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.routes import Bins
from lockgate.boundary.scores import STEPS, step
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import Predictions
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.kernel.errors import Invalid, InvalidInput
from lockgate.stages.deliver.explain import sentence
from lockgate.stages.deliver.judge import JudgeState, begin, edges, observe, report
from lockgate.stages.deliver.judge.predictions import Shares, difference
from tests.unit.judge.traffic import WATCHED

COMPARED = replace(WATCHED, predictions=Predictions())
UNIFORM = dict.fromkeys(range(STEPS), 10)


def warm(scores: dict[int, int] | None = None) -> JudgeState:
    """The baseline has shown how it scores, before the first step."""
    told = Observation(0.0, ArmObservation(), ArmObservation(scores=scores or UNIFORM))
    return observe(begin(COMPARED, (0.2, 0.5)), told)


def answers(
    canary: list[float], baseline: list[float], *, ticks: int, weight: float = 0.2, seed: int = 1, size: int = 200
) -> Iterator[Observation]:
    """Answers by bin, of which the two arms give these shares."""
    random = np.random.default_rng(seed)
    for _ in range(ticks):
        own = int(random.binomial(size, weight))
        arms = ((own, canary), (size - own, baseline))
        yield Observation(weight, *(ArmObservation(n, bins=tuple(random.multinomial(n, shares).tolist())) for n, shares in arms))


TENTHS = [0.1] * 10
SHIFTED = [0.02, 0.04, 0.06, 0.08, 0.1, 0.1, 0.12, 0.14, 0.16, 0.18]


def told(state: JudgeState, observations: Iterator[Observation]) -> JudgeState:
    for observation in observations:
        state = observe(state, observation)
    return state


def test_the_edges_are_the_deciles_of_what_the_baseline_scored() -> None:
    assert edges(warm().predictions, 7) == Bins(7, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9))


def test_scores_that_are_often_the_same_make_fewer_bins() -> None:
    assert edges(warm({0: 900, 50: 50, 199: 50}).predictions, 1) == Bins(1, (0.005,))


def test_scores_that_are_all_alike_make_none() -> None:
    assert edges(warm({199: 5000}).predictions, 1) is None


@given(st.dictionaries(st.floats(-2, 2).map(step), st.integers(1000, 9000), min_size=1, max_size=30))
def test_each_score_falls_into_a_bin_that_the_baseline_has_filled(counts: dict[int, int]) -> None:
    bins = edges(Shares(counts), 1)
    if bins is not None:
        assert {bins.place((place + 0.5) / STEPS) for place in counts} == set(range(len(bins.edges) + 1))


def test_too_few_scores_set_no_edges_and_later_ones_do_not_move_them() -> None:
    state = warm({0: 999})
    assert edges(state.predictions, 1) is None
    state = observe(state, Observation(0.2, ArmObservation(scores={199: 9999}), ArmObservation(scores={100: 600})))
    settled = edges(state.predictions, 1)
    assert settled == Bins(1, (0.005,))
    state = observe(state, Observation(0.2, ArmObservation(), ArmObservation(scores={150: 9999})))
    assert edges(state.predictions, 1) == settled


def test_a_canary_that_predicts_otherwise_is_told_of_and_is_no_harm() -> None:
    said = report(told(warm(), answers(SHIFTED, TENTHS, ticks=60)), 0)
    assert said.difference is not None
    assert said.difference.proven
    assert said.verdict is JudgeVerdict.WAIT
    assert said.evidence["predictions"] >= said.difference.bar == pytest.approx(log(100))
    assert said.evidence["harm"] == pytest.approx(0.0)
    assert sentence(said).startswith("The canary predicts otherwise: 1.91 % (46 of 2403) of its answers score below 0.1, ")
    assert sentence(said).endswith(" of the baseline's. Too early to say.")


def test_what_is_within_the_tolerance_is_no_difference_in_nearly_all_runs() -> None:
    """Each bin at an edge of the null, a fourth more or a fifth less; at α = 10 %, looked at after every block."""
    at_the_edge = np.array([1.25 if i % 2 else 0.8 for i in range(10)])
    shares = (at_the_edge / at_the_edge.sum()).tolist()  # 1.22 and 0.78: the larger ratio is that of the second kind
    differed, tolerated = 0, Predictions(0.1, 1 / 0.78)
    for run in range(100):
        state, ever = warm(), False
        for observation in answers(shares, TENTHS, ticks=25, seed=run, weight=0.5):
            state = observe(state, observation)
            said = difference(state.predictions, tolerated)
            ever = ever or (said is not None and said.proven)
        differed += ever
    assert differed / 100 <= 0.1 + 3 * 0.03


def test_another_mix_of_requests_moves_both_arms_and_is_no_difference() -> None:
    said = report(told(warm(), answers(SHIFTED, SHIFTED, ticks=60)), 0)
    assert said.difference is not None
    assert said.difference.log_e < 0


def test_a_ramp_is_no_difference() -> None:
    state = warm()
    for weight in (0.2, 0.5):
        state = told(state, answers(TENTHS, TENTHS, ticks=60, weight=weight))
    said = report(state, 1)
    assert said.difference is not None
    assert said.difference.log_e < 0


def test_without_bins_there_is_nothing_to_compare() -> None:
    assert report(warm(), 0).difference is None
    assert "predictions" not in report(warm(), 0).evidence


def test_where_predictions_are_not_compared_nothing_is_kept_of_them() -> None:
    state = told(begin(WATCHED, (0.2,)), iter([Observation(0.2, ArmObservation(), ArmObservation(scores=UNIFORM))]))
    assert state.predictions == Shares()
    assert report(state, 0).difference is None


def test_bins_of_another_number_are_refused() -> None:
    with pytest.raises(Invalid, match="answers in 3 bins, expected 10"):
        observe(warm(), Observation(0.2, ArmObservation(bins=(1, 2, 3)), ArmObservation()))


@pytest.mark.parametrize(
    ("predictions", "path"),
    [(Predictions(0.0), "predictions.alpha"), (Predictions(ratio=0.9), "predictions.ratio")],
)
def test_levels_and_ratios_that_make_no_test_are_refused(predictions: Predictions, path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        begin(replace(WATCHED, predictions=predictions), (0.2,))
    assert [fault.path for fault in refused.value.faults] == [path]


def test_answers_of_sticky_units_are_not_compared() -> None:
    with pytest.raises(InvalidInput, match="whose unit is the request only"):
        begin(COMPARED, (0.2,), sticky=True)
