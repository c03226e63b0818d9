"""A candidate that is no worse on average and worse somewhere is found; noise in many slices is not taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.domain.evaluation import Evaluation
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.stages.decide.gates.quality import judge_gates
from lockgate.stages.decide.spec import GatesSpec, parse_rule

PASS, FAIL, INCONCLUSIVE, ERROR = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE, GateVerdict.ERROR
RULE = "accuracy not worse than champion by 0.02 in each carrier"


def pair_of(sizes: dict[str, int], worse: dict[str, float], seed: int = 0) -> tuple[Evaluation, Evaluation]:
    """(candidate, champion): they disagree in a tenth of the examples, of which the candidate is right in half, but for what
    `worse` says of a carrier: there its accuracy is lower by so much.
    """
    random = np.random.default_rng(seed)
    carriers = [name for name, size in sizes.items() for _ in range(size)]
    apart, alike = random.random(len(carriers)), random.random(len(carriers)) < 0.8
    lost = 0.05 + np.array([worse.get(name, 0.0) for name in carriers]) / 2
    candidate_right = np.where(apart < 0.1, apart >= lost, alike)
    champion_right = np.where(apart < 0.1, apart < lost, alike)
    label = (random.random(len(carriers)) < 0.5).astype(float)
    ids = [str(row) for row in range(len(carriers))]
    said = [np.where(right, label, 1 - label).tolist() for right in (candidate_right, champion_right)]
    return tuple(Evaluation(ids, one, label.tolist(), {"carrier": carriers}) for one in said)  # type: ignore[return-value]


def judge(candidate: Evaluation, champion: Evaluation | None, rule: str = RULE) -> GateResult:
    (result,) = judge_gates([parse_rule(rule)], candidate, champion)
    return result


EVEN = {"AA": 2500, "DL": 2500, "UA": 2500}


def test_no_worse_anywhere_passes_and_says_where_it_is_least_sure() -> None:
    result = judge(*pair_of(EVEN, {}))
    assert result.verdict is PASS, result.detail
    assert "the least sure of 3 slices" in result.detail
    assert set(result.measured["slices"]) == {"AA", "DL", "UA"}
    assert all(one["low"] <= one["point"] <= one["high"] for one in result.measured["slices"].values())
    assert result.measured["detectable"] == max(one["detectable"] for one in result.measured["slices"].values())


def test_what_the_average_hides_is_found_and_named() -> None:
    candidate, champion = pair_of(EVEN | {"HA": 800}, {"HA": 0.08})
    assert judge(candidate, champion, "accuracy not worse than champion by 0.02").verdict is PASS
    result = judge(candidate, champion)
    assert result.verdict is FAIL
    assert result.detail.startswith("in HA accuracy is 0.0")
    assert "worse or more among 4 slices; 0.02 is allowed" in result.detail


def test_a_small_slice_does_not_pass_in_silence_and_hides_no_failure() -> None:
    small = judge(*pair_of(EVEN | {"HA": 40, "OO": 9}, {}))
    assert (small.verdict, small.measured["too_few"]) == (INCONCLUSIVE, ["HA", "OO"])
    assert "HA has 40 examples, at least 100 are needed to judge, and 1 more slices have too few" in small.detail
    assert judge(*pair_of(EVEN | {"HA": 40}, {"AA": 0.1})).verdict is FAIL


def test_an_open_slice_says_how_much_it_could_have_told() -> None:
    result = judge(*pair_of(EVEN | {"HA": 150}, {}, seed=2))
    assert result.verdict is INCONCLUSIVE
    assert "in HA" in result.detail
    assert "150 examples tell" in result.detail
    assert result.measured["slices"]["HA"]["detectable"] > 2 * result.measured["slices"]["AA"]["detectable"]


def test_the_least_size_of_a_slice_can_be_asked_for() -> None:
    (rule,) = GatesSpec.model_validate(
        {"quality": [{"rule": "accuracy not worse than champion by 0.02", "by": "carrier", "min_slice": 3000}]}
    ).quality
    assert rule.text == RULE
    (result,) = judge_gates([rule], *pair_of(EVEN, {}))
    assert (result.verdict, "at least 3000 are needed" in result.detail) == (INCONCLUSIVE, True)


def test_combinations_of_columns_are_slices() -> None:
    candidate, champion = pair_of(EVEN, {})
    candidate.slices["half"] = ["a", "b"] * (len(candidate) // 2)
    result = judge(candidate, champion, "accuracy not worse than champion by 0.05 in each carrier and half")
    assert result.verdict is PASS
    assert sorted(result.measured["slices"]) == ["AA × a", "AA × b", "DL × a", "DL × b", "UA × a", "UA × b"]


def test_the_same_version_again_is_not_worse_in_any_slice() -> None:
    champion = pair_of(EVEN, {})[1]
    assert judge(champion, champion, "accuracy not worse than champion by 0 in each carrier").verdict is PASS


def test_without_a_champion_pairs_or_the_column() -> None:
    candidate, champion = pair_of(EVEN, {})
    assert judge(candidate, None).verdict is PASS
    renamed = Evaluation([f"x{one}" for one in champion.ids], champion.prediction, champion.label)
    assert (judge(candidate, renamed).verdict, "in pairs only" in judge(candidate, renamed).detail) == (INCONCLUSIVE, True)
    unknown = judge(candidate, champion, "accuracy not worse than champion by 0.02 in each airline")
    assert (unknown.verdict, "no column 'airline'; it has no" in unknown.detail) == (ERROR, False)
    assert "it has carrier" in unknown.detail


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("auc >= 0.6 in each carrier", "belongs to rules that are `not worse"),
        ("auc not worse than champion by 0 in each a and a", "different columns expected"),
        ({"rule": "auc not worse than champion by 0"}, "`by` expected"),
        ({"rule": "auc not worse than champion by 0 in each a", "by": "b"}, "not both"),
        ({"rule": "auc not worse than champion by 0", "by": "b", "min_slice": 20}, "100 or more"),
        ({"rule": "auc not worse than champion by 0", "by": "b", "least": 20}, "Extra inputs"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rule: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        GatesSpec.model_validate({"quality": [rule]})


@pytest.mark.parametrize("rule", [RULE, {"rule": "auc not worse than champion by 0.1", "by": ["a", "b"], "min_slice": 300}])
def test_what_is_written_is_read_back_the_same(rule: object) -> None:
    spec = GatesSpec.model_validate({"quality": [rule]})
    assert GatesSpec.model_validate(spec.model_dump(mode="json")) == spec


def test_ten_equal_slices_rarely_look_worse() -> None:
    """Without a correction for their number, some slice of ten would seem proven worse in one set of five."""
    rule = "accuracy not worse than champion by 0 in each carrier"
    sizes = {f"C{number}": 100 for number in range(10)}
    failed = sum(judge(*pair_of(sizes, {}, seed), rule).verdict is FAIL for seed in range(30))
    assert failed <= 3


def test_what_is_called_detectable_is_detected_in_four_of_five() -> None:
    sizes, rule = {"AA": 400, "DL": 400}, "accuracy not worse than champion by 0 in each carrier"
    tells = judge(*pair_of(sizes, {}), rule).measured["slices"]["AA"]["detectable"]
    found = [judge(*pair_of(sizes, {"AA": tells}, seed), rule) for seed in range(1, 61)]
    assert 0.65 <= sum(one.verdict is FAIL for one in found) / 60 <= 0.97
