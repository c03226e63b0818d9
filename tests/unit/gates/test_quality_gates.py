"""Planted cases, each with the verdict it must get."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evaluation import Evaluation
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.stages.decide.gates.metrics import known_metrics, metrics
from lockgate.stages.decide.gates.quality import judge_gates
from lockgate.stages.decide.spec import METRICS, Better, Comparison, QualityRule, parse_rule

PASS, FAIL, INCONCLUSIVE, ERROR = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE, GateVerdict.ERROR
MISSED = LabelEvent("missed", 0.25)
Floats = NDArray[np.float64]


def ids(n: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{row}" for row in range(n)]


def evaluation(prediction: Floats, label: Floats, names: Sequence[str] | None = None) -> Evaluation:
    return Evaluation(list(names or ids(len(label))), prediction.tolist(), label.tolist())


def sigmoid(z: Floats) -> Floats:
    return 1 / (1 + np.exp(-z))


def world(n: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Log-odds, and labels that follow them: auc about 0.74 for who knows the log-odds."""
    random = np.random.default_rng(seed)
    z = random.normal(size=n)
    return z, (random.random(n) < sigmoid(z)).astype(float)


def seen(z: Floats, noise: float, seed: int) -> Floats:
    return sigmoid(z + noise * np.random.default_rng(seed).normal(size=len(z)))


def judge(rule: str, candidate: Evaluation, champion: Evaluation | None = None, event: LabelEvent | None = MISSED) -> GateResult:
    (result,) = judge_gates([parse_rule(rule)], candidate, champion, event)
    return result


Z, LABEL = world(6_000)
GOOD = evaluation(sigmoid(Z), LABEL)


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("auc >= 0.65", PASS),
        ("auc >= 0.8", FAIL),
        ("auc >= 0.735", INCONCLUSIVE),
        ("auc <= 0.8", PASS),
        ("brier <= 0.3", PASS),
        ("brier <= 0.15", FAIL),
        ("brier >= 0.15", PASS),
        ("log_loss <= 0.7", PASS),
        ("accuracy >= 0.9", FAIL),
        ("mae <= 1", PASS),
        ("rmse <= 0.1", FAIL),
        ("event_rate <= 0.2", PASS),
        ("event_rate <= 0.01", FAIL),
    ],
)
def test_limits(rule: str, verdict: GateVerdict) -> None:
    result = judge(rule, GOOD)
    assert result.verdict is verdict, result.detail
    assert result.rule == rule
    assert result.measured["low"] <= result.measured["point"] <= result.measured["high"]
    assert result.measured["n"] == 6_000
    assert result.measured["detectable"] > 0


def test_an_open_question_says_what_would_answer_it() -> None:
    assert "80% chance: hold out more" in judge("auc >= 0.735", GOOD).detail


def test_twenty_rows_never_pass() -> None:
    few = evaluation(np.linspace(0.01, 0.99, 20), (np.arange(20) >= 10).astype(float))
    result = judge("auc >= 0.65", few)
    assert result.verdict is INCONCLUSIVE
    assert result.detail == "the evaluation has 20 examples, at least 100 are needed to judge"


def test_one_class_never_passes() -> None:
    alone = evaluation(np.linspace(0, 1, 500), np.zeros(500))
    for rule in ("auc >= 0.1", "accuracy >= 0.1", "brier <= 0.9", "event_rate <= 0.9"):
        result = judge(rule, alone)
        assert result.verdict is INCONCLUSIVE
        assert "all 500 labels of the evaluation are 0" in result.detail


def test_a_rare_class_needs_its_own_examples() -> None:
    rare = evaluation(np.linspace(0, 1, 500), (np.arange(500) >= 490).astype(float))
    result = judge("auc >= 0.65", rare)
    assert result.verdict is INCONCLUSIVE
    assert "10 examples of the rarer class" in result.detail


def test_perfection_on_few_examples_is_no_certainty() -> None:
    """All resamples agree on AUC 1, yet 50 positives in the right order leave room for an AUC of 0.93."""
    perfect = evaluation((np.arange(100) >= 50).astype(float), (np.arange(100) >= 50).astype(float))
    assert judge("auc >= 0.9", perfect).verdict is PASS
    assert judge("auc >= 0.95", perfect).verdict is INCONCLUSIVE
    assert judge("accuracy >= 0.99", perfect).verdict is INCONCLUSIVE
    assert judge("mae <= 0.5", perfect).verdict is INCONCLUSIVE
    assert judge("mae <= 0.5", perfect).detail.startswith("mae is the same in every resample")


def test_a_metric_that_does_not_fit_is_an_error() -> None:
    prices = evaluation(np.linspace(10, 20, 200), np.linspace(11, 19, 200))
    result = judge("auc >= 0.65", prices)
    assert result.verdict is ERROR
    assert "auc needs labels that are 0 or 1; 200 other values are among the labels, such as 11" in result.detail
    assert judge("mae <= 2", prices).verdict is PASS


def test_scores_that_are_no_probabilities_have_an_auc_and_no_brier_score() -> None:
    scores = evaluation(Z * 5, LABEL)
    assert judge("auc >= 0.65", scores).verdict is PASS
    result = judge("brier <= 0.3", scores)
    assert result.verdict is ERROR
    assert "predictions reach from" in result.detail


def test_nan_is_an_error() -> None:
    broken = evaluation(np.where(np.arange(6_000) == 17, np.nan, sigmoid(Z)), LABEL)
    result = judge("auc >= 0.65", broken)
    assert result.verdict is ERROR
    assert "missing or infinite" in result.detail


def test_the_event_must_be_declared() -> None:
    result = judge("event_rate <= 0.2", GOOD, event=None)
    assert result.verdict is ERROR
    assert "none is declared" in result.detail


def test_the_event_of_a_regressor_is_a_rate_too() -> None:
    random = np.random.default_rng(3)
    minutes = random.normal(30, 10, 2_000)
    found, off = evaluation(minutes + random.normal(0, 3, 2_000), minutes), LabelEvent("off", 5.0)  # off by so much in 9.6 %
    assert judge("event_rate <= 0.12", found, event=off).verdict is PASS
    assert judge("event_rate <= 0.05", found, event=off).verdict is FAIL
    assert metrics(found, off)["event_rate"] == pytest.approx(0.096, abs=0.02)
    told = judge("event_rate <= 0.12", found)
    assert told.verdict is ERROR
    assert "labels that are 0 or 1" in told.detail


def test_an_unknown_metric_is_an_error() -> None:
    (result,) = judge_gates([QualityRule("f1", Comparison.AT_LEAST, 0.5, "f1 >= 0.5")], GOOD, None)
    assert result.verdict is ERROR
    assert "there is no metric 'f1'; there are auc, accuracy" in result.detail


def test_every_metric_of_the_project_file_is_known_here_with_the_same_direction() -> None:
    known = known_metrics(MISSED)
    assert {name: metric.larger_is_better for name, metric in known.items()} == {
        name: better is Better.HIGHER for name, better in METRICS.items()
    }


# The champion


def a_little_worse(share: float) -> tuple[Evaluation, Evaluation]:
    """Two models that agree except that the candidate's accuracy is lower by `share`, each on the same 20,000 examples."""
    label = (np.arange(20_000) % 2).astype(float)
    right = np.random.default_rng(7).random(20_000) < 0.8
    champion = np.where(right, label, 1 - label)
    spoilt = np.flatnonzero(right)[: int(20_000 * share)]
    candidate = champion.copy()
    candidate[spoilt] = 1 - candidate[spoilt]
    return evaluation(candidate, label), evaluation(champion, label)


def test_a_tenth_of_a_percent_worse_passes_only_with_a_margin() -> None:
    candidate, champion = a_little_worse(0.001)
    strict = judge("accuracy not worse than champion by 0", candidate, champion)
    assert strict.verdict is FAIL
    assert strict.measured["point"] == pytest.approx(-0.001)
    lenient = judge("accuracy not worse than champion by 0.005", candidate, champion)
    assert lenient.verdict is PASS
    assert lenient.measured["compared"] == "paired"
    assert "in pairs, on all 20,000 held-out examples" in lenient.detail


def test_pairs_tell_what_two_figures_cannot() -> None:
    candidate, champion = a_little_worse(0.001)
    renamed = Evaluation(ids(20_000, "other-"), champion.prediction, champion.label)
    unpaired = judge("accuracy not worse than champion by 0.005", candidate, renamed)
    assert unpaired.verdict is INCONCLUSIVE
    assert unpaired.measured["compared"] == "unpaired"
    assert "unpaired: only 0 examples were held out by both" in unpaired.detail
    paired = judge("accuracy not worse than champion by 0.005", candidate, champion)
    assert unpaired.measured["detectable"] > 5 * paired.measured["detectable"]


def test_auc_of_a_worse_model_with_and_without_a_margin() -> None:
    z, label = world(12_000, seed=3)
    champion, candidate = evaluation(seen(z, 0.30, 1), label), evaluation(seen(z, 0.33, 1), label)
    assert judge("auc not worse than champion by 0", candidate, champion).verdict is not PASS
    assert judge("auc not worse than champion by 0.01", candidate, champion).verdict is PASS
    assert judge("auc not worse than champion by 0", champion, candidate).verdict is PASS


def test_losses_are_turned_so_that_less_is_better() -> None:
    champion, worse = evaluation(seen(Z, 0.1, 1), LABEL), evaluation(seen(Z, 1.5, 2), LABEL)
    for metric in ("brier", "log_loss", "mae", "rmse", "auc", "accuracy"):
        result = judge(f"{metric} not worse than champion by 0.001", worse, champion)
        assert result.verdict is FAIL, result.detail
        assert result.measured["point"] < 0
        assert judge(f"{metric} not worse than champion by 0.001", champion, worse).verdict is PASS


def test_only_shared_examples_are_paired_in_any_order() -> None:
    names = ids(6_000)
    champion = Evaluation(names[2_000:][::-1], GOOD.prediction[2_000:][::-1], GOOD.label[2_000:][::-1])
    result = judge("auc not worse than champion by 0", GOOD, champion)
    assert result.verdict is PASS
    assert (result.measured["compared"], result.measured["n"], result.measured["point"]) == ("paired", 4_000, 0.0)


def test_few_shared_examples_are_not_worth_pairing() -> None:
    shifted = Evaluation([str(row) for row in range(5_000, 11_000)], GOOD.prediction, GOOD.label)
    result = judge("auc not worse than champion by 0.05", GOOD, shifted)
    assert result.measured["compared"] == "unpaired"
    assert "only 1,000 examples" in result.detail


def test_equal_ids_with_other_labels_are_other_examples() -> None:
    """Row numbers of different data meet by accident."""
    z, label = world(6_000, seed=9)
    result = judge("auc not worse than champion by 0.05", GOOD, evaluation(sigmoid(z), label))
    assert result.measured["compared"] == "unpaired"
    assert "have different labels" in result.detail


def test_the_same_model_again_is_not_worse() -> None:
    assert judge("auc not worse than champion by 0", GOOD, GOOD).verdict is PASS
    assert judge("mae not worse than champion by 0", GOOD, GOOD).verdict is PASS


def test_agreeing_on_few_examples_proves_no_small_margin() -> None:
    """No decision changed on 200 examples, though every score did: an accuracy 1 % lower elsewhere is still possible."""
    label = (np.arange(200) % 2).astype(float)
    prediction = np.where(np.arange(200) % 5 == 0, 1 - label, label) * 0.8 + 0.1
    one, other = evaluation(prediction, label), evaluation(prediction * 0.99, label)
    assert judge("accuracy not worse than champion by 0.01", one, other).verdict is INCONCLUSIVE
    assert judge("accuracy not worse than champion by 0.05", one, other).verdict is PASS


def test_without_a_champion_there_is_nothing_to_be_worse_than() -> None:
    result = judge("auc not worse than champion by 0", GOOD)
    assert result.verdict is PASS
    assert result.detail == "there is no champion yet: nothing to be worse than"


def test_a_champion_that_cannot_be_measured_is_an_error() -> None:
    prices = Evaluation(ids(500, "other-"), [0.5] * 500, [float(row) for row in range(500)])
    result = judge("auc not worse than champion by 0", GOOD, prices)
    assert result.verdict is ERROR
    assert result.detail.startswith("the champion's evaluation: auc needs labels")


def test_a_champion_of_few_examples_cannot_be_compared_with() -> None:
    small = Evaluation(ids(40, "other-"), GOOD.prediction[:40], GOOD.label[:40])
    result = judge("auc not worse than champion by 0.5", GOOD, small)
    assert result.verdict is INCONCLUSIVE
    assert result.detail.startswith("the champion's evaluation has 40 examples")


def test_a_model_at_the_limit_passes_about_as_rarely_as_promised() -> None:
    """Candidates whose true accuracy is just the limit's pass in 2.5 % of cases: here 200 of them, 5 expected."""
    random = np.random.default_rng(13)
    label = (np.arange(250) % 2).astype(float)
    passed = 0
    for _ in range(200):
        right = random.random(250) < 0.8
        passed += judge("accuracy >= 0.8", evaluation(np.where(right, label, 1 - label), label)).verdict is PASS
    assert passed <= 13


# Figures


def test_metrics_of_classes_are_scikit_learns() -> None:
    found = metrics(GOOD, MISSED)
    probability = np.array(GOOD.prediction)
    assert found == pytest.approx(
        {
            "n": 6_000,
            "auc": sklearn_metrics.roc_auc_score(LABEL, probability),
            "accuracy": sklearn_metrics.accuracy_score(LABEL, probability >= 0.5),
            "brier": sklearn_metrics.brier_score_loss(LABEL, probability),
            "log_loss": sklearn_metrics.log_loss(LABEL, probability),
            "event_rate": np.mean((LABEL == 1) & (probability < 0.25)),
        },
        abs=1e-12,
    )


def test_metrics_of_numbers_are_errors_in_their_unit() -> None:
    found = metrics(Evaluation(["a", "b"], [1.0, 2.0], [4.0, 6.0]))
    assert found == pytest.approx({"n": 2, "mae": 3.5, "rmse": 12.5**0.5})


def test_what_cannot_be_computed_is_left_out() -> None:
    assert metrics(Evaluation([], [], [])) == {"n": 0}
    assert set(metrics(Evaluation(["a", "b"], [0.2, 0.3], [1.0, 1.0]))) == {"n", "accuracy", "brier", "log_loss"}
    assert set(metrics(Evaluation(["a", "b"], [2.0, 3.0], [0.0, 1.0]))) == {"n", "auc"}
    assert set(metrics(Evaluation(["a"], [float("nan")], [0.0]))) == {"n"}
