"""A planted bad slice is found and named; where there is none, none is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lockgate.domain.evaluation import Evaluation
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.stages.decide.gates.slices import judge_slices
from lockgate.stages.decide.gates.slicing import columns_of, cut
from lockgate.stages.decide.slices_spec import SlicesSpec
from lockgate.stages.decide.spec import GatesSpec

PASS, FAIL, INCONCLUSIVE, ERROR = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE, GateVerdict.ERROR


def table(rows: int, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "income": random.exponential(40, rows).tolist(),
        "age": random.integers(18, 90, rows).tolist(),
        "city": random.choice(["Bern", "Chur", "Zug"], rows).tolist(),
        "device": random.choice(["phone", "desk", "tablet"], rows, p=[0.5, 0.3, 0.2]).tolist(),
    }


def evaluated(columns: dict[str, Any], bad: np.ndarray | None = None, seed: int = 0) -> Evaluation:
    """Scores that say how likely the label is; where it is bad, they say the opposite in half of the examples."""
    random = np.random.default_rng(seed + 1000)
    rows = len(columns["city"])
    chance = random.choice([0.2, 0.8], rows)
    label = (random.random(rows) < chance).astype(float)
    wrong = np.zeros(rows, dtype=bool) if bad is None else bad & (random.random(rows) < 0.5)
    said = np.where(wrong, 1 - chance, chance)
    return Evaluation([str(row) for row in range(rows)], said.tolist(), label.tolist())


def judge(columns: dict[str, Any], found: Evaluation, **spec: Any) -> GateResult:
    (result,) = judge_slices(SlicesSpec(**spec), found, columns)
    return result


COLUMNS = table(6000, 0)
PAIR = (np.array(COLUMNS["city"]) == "Chur") & (np.array(COLUMNS["device"]) == "phone")
OLD = np.array(COLUMNS["age"]) >= 76
SPOILT = evaluated(COLUMNS, PAIR)


def test_a_planted_pair_is_found_and_told_without_refusing() -> None:
    result = judge(COLUMNS, SPOILT)
    assert result.verdict is PASS
    first = result.measured["slices"][0]
    assert first["slice"] == "city = Chur and device = phone"
    assert first["loss"] > 1.5 * first["rest"]
    assert "found in one half of the examples and confirmed in the other" in result.detail


@pytest.mark.parametrize("metric", ["brier", "log_loss", "error_rate", "mae"])
def test_with_a_limit_it_refuses(metric: str) -> None:
    assert judge(COLUMNS, SPOILT, metric=metric, max_ratio=1.2).verdict is FAIL
    assert judge(COLUMNS, SPOILT, metric=metric, max_ratio=5.0).verdict is PASS
    assert judge(COLUMNS, SPOILT, metric=metric, max_difference=0.01).verdict is FAIL
    assert "1.2 is allowed" in judge(COLUMNS, SPOILT, metric=metric, max_ratio=1.2).detail


def test_a_range_of_numbers_is_a_slice() -> None:
    first = judge(COLUMNS, evaluated(COLUMNS, OLD)).measured["slices"][0]
    assert first["slice"].startswith("age from 7")


def test_columns_of_the_evaluation_are_searched_too() -> None:
    columns = dict(COLUMNS)
    found = Evaluation(SPOILT.ids, SPOILT.prediction, SPOILT.label, {"city": columns.pop("city")})
    assert "city = Chur" in judge(columns, found).detail


def test_where_the_model_is_equally_good_no_slice_is_named() -> None:
    """Half of these would name one if the search were believed without the other half."""
    named = 0
    for seed in range(60):
        columns = table(2000, seed)
        named += bool(judge(columns, evaluated(columns, seed=seed)).measured["slices"])
    assert named <= 5


def test_few_examples_are_not_searched() -> None:
    columns = table(500, 0)
    assert judge(columns, evaluated(columns)).verdict is PASS
    limited = judge(columns, evaluated(columns), max_ratio=1.5)
    assert (limited.verdict, "at least 800 are needed" in limited.detail) == (INCONCLUSIVE, True)


def test_a_metric_that_does_not_fit_is_an_error() -> None:
    minutes = Evaluation([str(one) for one in range(2000)], [float(one) for one in range(2000)], [5.0] * 2000)
    columns = table(2000, 0)
    assert judge(columns, minutes, metric="brier").verdict is ERROR
    assert judge(columns, minutes).measured["metric"] == "mae"


def test_the_sums_of_slices_are_those_of_their_examples() -> None:
    columns = columns_of({**COLUMNS, "gap": [None if one % 7 else 1.5 for one in range(6000)], "one": [1] * 6000})
    assert [one.name for one in columns] == ["income", "age", "city", "device", "gap"], "what cuts nothing is left out"
    rows, losses = np.arange(0, 6000, 2), np.random.default_rng(0).random(3000)
    for sums in cut(columns, rows, losses):
        assert sums.count.sum() == 3000
        assert sums.total.sum() == pytest.approx(losses.sum())
        place = int(np.argmax(sums.total))
        assert losses[sums.cell(place).holds(rows)].sum() == pytest.approx(sums.total[place])


def test_what_is_written_is_read() -> None:
    assert GatesSpec.model_validate({"slices": {}}).slices == SlicesSpec()
    assert GatesSpec().slices is None
    with pytest.raises(ValueError, match="not both"):
        SlicesSpec(max_ratio=2.0, max_difference=0.1)
