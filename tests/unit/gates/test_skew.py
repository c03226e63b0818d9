"""What production asks and training did not know is found, by its distance and not by its significance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from lockgate.boundary.manifest import Golden, Signature
from lockgate.boundary.records import Record
from lockgate.boundary.routes import Revision
from lockgate.domain.packages import Packaged
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.stages.decide.gates.skew import Sides, judge_skew
from lockgate.stages.decide.skew_spec import SkewSpec
from lockgate.stages.decide.spec import GatesSpec
from lockgate.stages.watch import reference
from lockgate.stats.drift import psi_bounds
from lockgate.testing.records import MemoryRecords
from lockgate.usecases.compare_recorded import MOST_ROWS, compare_recorded

PASS, FAIL, INCONCLUSIVE, ERROR = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE, GateVerdict.ERROR
LIMIT = SkewSpec(max=0.2)


def columns(rows: int, seed: int, **shift: Any) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "delay": random.normal(10, 5, rows) * shift.get("unit", 1) + shift.get("later", 0),
        "carrier": random.choice(["AA", "DL", "UA"], rows, p=shift.get("mix", [0.5, 0.3, 0.2])).tolist(),
        "hour": random.integers(0, 24, rows),
    }


def packaged(rows: int = 20_000, seed: int = 0) -> Packaged:
    learned = reference.learn(columns(rows, seed), np.zeros(100), np.zeros(100))
    return Packaged("onnx", {}, Signature((), (), "score"), Golden({}, [], 0.0), {}, reference.encode(learned), b"")


def records(asked: dict[str, Sequence[Any] | None], rows: int, first: float = 0.0, each: int = 50, **fields: Any) -> list[Record]:
    made = []
    for start in range(0, rows, each):
        inputs = {name: None if values is None else list(values[start : start + each]) for name, values in asked.items()}
        ids = tuple(f"p{first + start + one}" for one in range(min(each, rows - start)))
        made.append(Record(ids, "flights", 1, Revision(1, 1), first + start, inputs, (0.5,) * len(ids)))
    return [msgspec.structs.replace(one, **fields) for one in made]


def judge(found: list[Record], spec: SkewSpec = LIMIT) -> GateResult:
    source = MemoryRecords(limit=100)
    source.append(found)
    (result,) = compare_recorded(source, spec, "flights", packaged())
    return result


def test_the_same_inputs_pass() -> None:
    result = judge(records(columns(5000, 1), 5000))
    assert result.verdict is PASS, result.detail
    assert result.measured["rows"] == 5000
    assert "the furthest of 3 features; 0.2 is allowed" in result.detail


@pytest.mark.parametrize(
    ("shift", "feature"), [({"unit": 60}, "delay"), ({"later": 5}, "delay"), ({"mix": [0.1, 0.3, 0.6]}, "carrier")]
)
def test_a_defect_is_named(shift: dict[str, Any], feature: str) -> None:
    result = judge(records(columns(5000, 1, **shift), 5000))
    assert result.verdict is FAIL
    assert result.detail.startswith(f"{feature} is ")


def test_what_is_significant_and_small_passes() -> None:
    """By a test of 20,000 rows the mix differs beyond doubt; nobody would care."""
    result = judge(records(columns(20_000, 1, mix=[0.47, 0.31, 0.22]), 20_000), SkewSpec(max=0.05))
    assert result.verdict is PASS


def test_too_few_rows_say_nothing_and_none_at_all_pass() -> None:
    few = judge(records(columns(800, 1), 800))
    assert (few.verdict, "800 rows of delay were recorded, at least 1,000 are needed" in few.detail) == (INCONCLUSIVE, True)
    none = judge([])
    assert (none.verdict, "nothing to compare with" in none.detail) == (PASS, True)
    (nowhere,) = compare_recorded(None, LIMIT, "flights", packaged())
    assert nowhere.verdict is PASS


def test_a_feature_that_no_record_has_is_told_and_not_compared() -> None:
    asked: dict[str, Any] = columns(3000, 1) | {"carrier": None}
    del asked["hour"]
    result = judge(records(asked, 3000))
    assert result.verdict is PASS
    assert result.detail.endswith("Not recorded, so not compared: carrier, hour")
    assert set(result.measured["features"]) == {"delay"}
    assert judge(records({"carrier": None}, 3000)).verdict is INCONCLUSIVE


def test_only_answers_to_this_model_count_and_only_the_newest() -> None:
    odd = columns(MOST_ROWS, 1, unit=60)
    others = records(odd, 4000, model="others") + records(odd, 4000, shadow=True) + records(odd, 4000, failure="error", scores=())
    assert judge(others).measured["rows"] == 0
    old, new = records(odd, MOST_ROWS), records(columns(MOST_ROWS, 2), MOST_ROWS, first=1e6)
    result = judge([*new, *old])
    assert (result.verdict, result.measured["rows"]) == (PASS, MOST_ROWS)


def test_named_features_only() -> None:
    odd = records(columns(5000, 1, unit=60), 5000)
    assert judge(odd, SkewSpec(max=0.2, features=("carrier",))).verdict is PASS
    unknown = judge(odd, SkewSpec(max=0.2, features=("airline",)))
    assert (unknown.verdict, "no input 'airline'; it has delay, carrier, hour" in unknown.detail) == (ERROR, True)


@pytest.mark.parametrize(
    ("bins", "rows", "tilt"),
    [*((*size, tilt) for size in ((4, 200), (10, 1000), (30, 5000)) for tilt in (0.0, 0.1, 0.2, 0.5, 1.0)), (50, 200, 0.5)],
)
def test_the_bounds_of_the_index_hold_the_truth(bins: int, rows: int, tilt: float) -> None:
    """Of 500 pairs of samples: the lower bound is above the truth, and the upper one below it, in 2.5 % or so."""
    random, p = np.random.default_rng(0), np.full(bins, 1 / bins)
    q = p * np.exp(tilt * np.linspace(-1, 1, bins))
    q /= q.sum()
    truth = float(((q - p) * np.log(q / p)).sum())
    bounds = [psi_bounds(random.multinomial(20_000, p), random.multinomial(rows, q), 1.0, 0.025) for _ in range(500)]
    assert all(low <= psi <= high for psi, low, high in bounds)
    assert sum(low > truth for _, low, _ in bounds) <= 22
    assert sum(high < truth for *_, high in bounds) <= 22


def test_rows_that_resemble_their_neighbours_say_less() -> None:
    trained, recorded = np.full(10, 2000), np.arange(150, 250, 10)
    plain, dependent = (psi_bounds(trained, recorded, inflation, 0.025) for inflation in (1.0, 5.0))
    assert dependent[1] < plain[1]
    assert dependent[2] > plain[2]


def test_what_may_be_further_than_it_looks_does_not_pass() -> None:
    trained, recorded = np.full(10, 2000), np.array([60, 70, 80, 90, 100, 100, 110, 120, 130, 140])
    (result,) = judge_skew(SkewSpec(max=0.08), {"x": Sides(trained, recorded)}, 1000)
    assert result.measured["features"]["x"]["psi"] < 0.08 < result.measured["features"]["x"]["high"]
    assert result.verdict is INCONCLUSIVE


def test_many_features_fail_no_more_often_than_one() -> None:
    """At the limit itself: thirty features, each with the index that is allowed."""
    random, p = np.random.default_rng(0), np.full(10, 0.1)
    q = p * np.exp(np.linspace(-0.5, 0.5, 10))
    q /= q.sum()
    limit = SkewSpec(max=float(((q - p) * np.log(q / p)).sum()))
    failed = 0
    for _ in range(100):
        sides = {f"x{one}": Sides(random.multinomial(20_000, p), random.multinomial(2000, q)) for one in range(30)}
        (result,) = judge_skew(limit, sides, 2000)
        failed += result.verdict is FAIL
    assert failed <= 8


def test_what_is_written_is_read() -> None:
    assert GatesSpec.model_validate({"skew": {"max": 0.2, "features": ["a"], "min_rows": 500}}).skew == SkewSpec(
        max=0.2, features=("a",), min_rows=500
    )
    with pytest.raises(ValueError, match="greater than 0"):
        SkewSpec(max=0)
