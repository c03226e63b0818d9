"""Fairness rules: fair models pass, unfair ones fail, small groups are told of, and the rates are those of the field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.evaluation import Evaluation
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.stages.decide.fairness_spec import FairnessSpec, Rate
from lockgate.stages.decide.gates.fairness import judge_fairness
from lockgate.stages.decide.gates.groups import groups
from lockgate.stages.decide.spec import GatesSpec

RUNS = 200


def evaluation(prediction: list[float], label: list[float], **slices: list[str]) -> Evaluation:
    return Evaluation([str(number) for number in range(len(label))], prediction, label, slices)


def drawn(seed: int, rates: dict[str, float], n: int) -> Evaluation:
    """Groups of n examples, half of them true; a true one is found at the group's rate, one in ten others is called true."""
    random = np.random.default_rng(seed)
    label = np.tile([0.0, 1.0], n // 2 * len(rates))
    group = np.repeat(list(rates), n // 2 * 2)
    chance = np.where(label == 1, np.repeat(list(rates.values()), n // 2 * 2), 0.1)
    return evaluation((random.random(len(label)) < chance).astype(float).tolist(), label.tolist(), group=group.tolist())


def rule(**fields: Any) -> FairnessSpec:
    return FairnessSpec.model_validate({"by": "group", "metric": "true_positive_rate", **fields})


def judged(found: Evaluation, event_threshold: float | None = None, **fields: Any) -> GateResult:
    (result,) = judge_fairness([rule(**fields)], found, event_threshold)
    return result


def verdicts(rates: dict[str, float], n: int, **fields: Any) -> list[GateVerdict]:
    return [judged(drawn(seed, rates, n), **fields).verdict for seed in range(RUNS)]


def test_a_fair_model_passes() -> None:
    found = verdicts({"a": 0.8, "b": 0.8, "c": 0.8}, 2000, max_difference=0.1)
    assert found.count(GateVerdict.PASS) >= 0.95 * RUNS
    assert found.count(GateVerdict.FAIL) == 0


def test_a_model_that_misses_ten_points_more_in_one_group_fails() -> None:
    found = verdicts({"a": 0.8, "b": 0.7}, 2000, max_difference=0.03)
    assert found.count(GateVerdict.FAIL) >= 0.95 * RUNS
    assert found.count(GateVerdict.PASS) == 0


def test_a_model_at_the_limit_seldom_passes_and_seldom_fails_however_many_groups_there_are() -> None:
    rates = {"worse": 0.7} | {f"g{number}": 0.8 for number in range(6)}
    found = verdicts(rates, 1000, max_difference=0.1)
    assert found.count(GateVerdict.PASS) <= 0.05 * RUNS
    assert found.count(GateVerdict.FAIL) <= 0.05 * RUNS


def test_a_ratio_looks_at_what_is_rare() -> None:
    missed: dict[str, Any] = {"metric": "false_negative_rate", "max_ratio": 1.25}
    assert set(verdicts({"a": 0.98, "b": 0.90}, 4000, **missed)) == {GateVerdict.FAIL}
    assert judged(drawn(1, {"a": 0.5, "b": 0.5}, 8000), **missed).verdict is GateVerdict.PASS


def test_equalized_odds_look_at_both_rates() -> None:
    label = [0.0, 1.0] * 1000
    alike = [0.0, 1.0] * 500
    careless = [1.0, 1.0] * 500
    found = evaluation([*alike, *careless], label, group=["a"] * 1000 + ["b"] * 1000)
    assert judged(found, max_difference=0.1).verdict is GateVerdict.PASS
    result = judged(found, metric="equalized_odds", max_difference=0.1)
    assert result.verdict is GateVerdict.FAIL
    assert "false_positive_rate is 1 of b and 0 of a" in result.detail


def test_combinations_are_groups_of_their_own() -> None:
    """Each column alone is fair; one combination is not."""
    label = [1.0] * 4000
    sex, age = ["f", "f", "m", "m"] * 1000, ["old", "young"] * 2000
    prediction = [float((one == "f") == (other == "old")) for one, other in zip(sex, age, strict=True)]
    found = evaluation(prediction, label, sex=sex, age=age)
    assert judged(found, by="sex", max_difference=0.1).verdict is GateVerdict.PASS
    result = judged(found, by=["sex", "age"], max_difference=0.1)
    assert result.verdict is GateVerdict.FAIL
    assert set(result.measured["groups"]["true_positive_rate"]) == {"f × old", "f × young", "m × old", "m × young"}


def test_a_small_group_is_no_pass() -> None:
    found = drawn(0, {"a": 0.8, "b": 0.8}, 2000)
    few = evaluation(
        [*found.prediction, *[1.0] * 15], [*found.label, *[1.0] * 15], group=[*found.slices["group"], *["rare"] * 15]
    )
    result = judged(few, max_difference=0.5)
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert "true_positive_rate of rare is about 15 examples, at least 100 are needed" in result.detail


def test_nothing_that_happens_leaves_an_interval() -> None:
    """No false negative among a hundred is no proof that there are none among a thousand."""
    label = [1.0] * 400
    found = evaluation([1.0] * 400, label, group=["a"] * 200 + ["b"] * 200)
    assert judged(found, max_difference=0.01).verdict is GateVerdict.INCONCLUSIVE
    assert judged(found, max_difference=0.05).verdict is GateVerdict.PASS


def test_the_judged_event_sets_the_threshold_unless_the_rule_does() -> None:
    found = evaluation([0.3, 0.3] * 200, [1.0] * 400, group=["a", "b"] * 200)
    assert judged(found, max_difference=0.1).measured["groups"]["true_positive_rate"]["a"]["rate"] == 0.0
    assert judged(found, 0.25, max_difference=0.1).measured["groups"]["true_positive_rate"]["a"]["rate"] == 1.0
    assert judged(found, 0.25, max_difference=0.1, threshold=0.5).measured["threshold"] == 0.5


@pytest.mark.parametrize(
    ("found", "fields", "message"),
    [
        (evaluation([1.0] * 200, [1.0] * 200, origin=["a", "b"] * 100), {}, "no column 'group' to group by; it has origin"),
        (evaluation([1.0] * 200, [2.5] * 200, group=["a", "b"] * 100), {}, "needs labels that are 0 or 1"),
        (evaluation([1.0] * 200, [1.0] * 200, group=["a"] * 200), {}, "one group alone"),
        (evaluation([1.0] * 200, [1.0] * 200, group=[str(n) for n in range(200)]), {}, "200 groups by group found, at most 50"),
    ],
)
def test_what_cannot_be_measured_is_an_error(found: Evaluation, fields: dict[str, Any], message: str) -> None:
    result = judged(found, max_difference=0.1, **fields)
    assert result.verdict is GateVerdict.ERROR
    assert message in result.detail


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("abc")), min_size=1, max_size=200))
def test_rates_are_what_they_are_called(rows: list[tuple[bool, bool, str]]) -> None:
    found = evaluation(
        [float(yes) for yes, _, _ in rows], [float(true) for _, true, _ in rows], group=[name for _, _, name in rows]
    )
    for rate, about, hit in (
        (Rate.SELECTION, lambda yes, true: True, lambda yes, true: yes),  # noqa: ARG005 - one shape for all
        (Rate.FALSE_NEGATIVE, lambda yes, true: true, lambda yes, true: not yes),  # noqa: ARG005
        (Rate.FALSE_POSITIVE, lambda yes, true: not true, lambda yes, true: yes),  # noqa: ARG005
        (Rate.ACCURACY, lambda yes, true: True, lambda yes, true: yes == true),  # noqa: ARG005
    ):
        for group in groups(found, ["group"], rate, 0.5):
            own = [(yes, true) for yes, true, name in rows if name == group.name and about(yes, true)]
            assert (group.trials, group.hits) == (len(own), sum(hit(*one) for one in own))


def test_a_single_rule_needs_no_list() -> None:
    one = {"by": "origin", "metric": "false_negative_rate", "max_ratio": 1.25}
    assert GatesSpec.model_validate({"fairness": one}) == GatesSpec.model_validate({"fairness": [one]})
    assert GatesSpec.model_validate({"fairness": one}).fairness[0].text == "false_negative_rate by origin: max_ratio 1.25"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_ratio": 1.2, "max_difference": "10%"}, "either `max_ratio` or `max_difference` expected"),
        ({}, "either `max_ratio` or `max_difference` expected"),
        ({"max_ratio": 1.0}, "greater than 1"),
        ({"metric": "recall", "max_ratio": 1.2}, "true_positive_rate, false_negative_rate"),
        ({"by": [], "max_ratio": 1.2}, "at least 1"),
        ({"min_group": 5, "max_ratio": 1.2}, "greater than or equal to 20"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule(**fields)
