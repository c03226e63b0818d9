"""When a feature is found to drift, and when not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.stages.watch.drift import PREDICTIONS, Drifted, DriftState, Window, judge, observe, status
from lockgate.stages.watch.reference import Reference, learn
from lockgate.stages.watch.spec import DriftSpec

SPEC = DriftSpec(window=500, min_effect=0.05, persistence=2)
RANDOM = np.random.default_rng(4)
REFERENCE = learn(
    {f"x{i}": RANDOM.normal(size=20_000) for i in range(20)} | {"c": RANDOM.choice(["a", "b", "c"], 20_000).tolist()},
    RANDOM.beta(2, 6, 5000),
    np.zeros(5000),
)


def rows(count: int, seed: int, **shifts: float) -> tuple[dict[str, list[object]], list[float]]:
    random = np.random.default_rng(seed)
    columns: dict[str, list[object]] = {f"x{i}": (random.normal(size=count) + shifts.get(f"x{i}", 0)).tolist() for i in range(20)}
    columns["c"] = random.choice(["a", "b", "c"], count).tolist()
    return columns, (random.beta(2, 6, count) ** (1 - shifts.get("scores", 0))).tolist()


def found(state: DriftState, count: int, seed: int, **shifts: float) -> tuple[DriftState, list[tuple[str, ...]]]:
    columns, scores = rows(count, seed, **shifts)
    state, drifted = observe(state, REFERENCE, SPEC, columns, scores)
    return state, [one.features for one in drifted]


def test_no_drift_in_a_hundred_windows() -> None:
    state, drifted = found(DriftState(), 50_000, 1)
    assert (drifted, state.judged, status(state, SPEC)["verdict"]) == ([], 100, "QUIET")


def test_a_shift_of_half_a_deviation_is_found_when_it_persisted() -> None:
    state, drifted = found(DriftState(), 500, 2, x7=0.5)
    assert drifted == []
    _, drifted = found(state, 500, 3, x7=0.5)
    assert drifted == [("x7",)]


def test_a_shift_of_the_scores_is_found() -> None:
    assert found(DriftState(), 1000, 2, scores=0.4)[1] == [(PREDICTIONS,)]


def test_what_was_found_is_not_found_again_while_it_lasts() -> None:
    assert found(DriftState(), 10_000, 5, x0=1.0)[1] == [("x0",)]


def test_one_loud_window_is_no_drift() -> None:
    state, first = found(DriftState(), 500, 6, x0=1.0)
    assert first == []
    assert found(state, 5000, 7)[1] == []


def test_a_significant_difference_that_is_too_small_to_matter_is_no_drift() -> None:
    spec = DriftSpec(window=20_000, min_effect=0.05, persistence=1)
    columns, scores = rows(20_000, 8, x0=0.1)
    state, drifted = observe(DriftState(), REFERENCE, spec, columns, scores)
    assert state.last["x0"].p < 1e-6
    assert drifted == ()


def test_only_the_features_that_are_asked_for_are_watched() -> None:
    spec = DriftSpec(features=("x1",), window=500)
    columns, scores = rows(2000, 9, x0=2.0)
    state, drifted = observe(DriftState(), REFERENCE, spec, columns, scores)
    assert drifted == ()
    assert set(state.last) == {"x1", PREDICTIONS}


def test_a_new_value_and_a_feature_that_is_no_longer_sent_are_drift() -> None:
    columns, scores = rows(1000, 10)
    columns["c"] = ["z"] * 1000
    del columns["x3"]
    _, drifted = observe(DriftState(), REFERENCE, SPEC, columns, scores)
    assert {name for one in drifted for name in one.features} == {"c", "x3"}


def test_a_window_that_is_not_full_is_not_judged() -> None:
    columns, scores = rows(8, 11, x0=9.0)
    state, drifted = observe(DriftState(), REFERENCE, SPEC, columns, scores)
    assert drifted == ()
    assert judge(REFERENCE, state.open, SPEC) == {}
    assert status(state, SPEC)["verdict"] == "INCONCLUSIVE"
    assert judge(REFERENCE, Window(), SPEC) == {}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=6))
def test_however_the_rows_come_in_batches_the_outcome_is_the_same(cuts: list[int]) -> None:
    columns, scores = rows(2000, 12, x0=1.0)
    whole = observe(DriftState(), REFERENCE, SPEC, columns, scores)
    state, start = DriftState(), 0
    drifted: list[Drifted] = []
    for size in [*cuts, 2000]:
        piece = {name: column[start : start + size] for name, column in columns.items()}
        state, fresh = observe(state, REFERENCE, SPEC, piece, scores[start : start + size])
        drifted.extend(fresh)
        start += size
    assert (state, tuple(drifted)) == whole


def test_windows_of_a_day_of_weather_are_no_drift_though_each_differs() -> None:
    """Rows of one day resemble each other. The reference has learned by how much, so that a day is compared with days."""
    random = np.random.default_rng(13)

    def days(count: int) -> np.ndarray:
        return np.repeat(random.normal(size=count), 500) + random.normal(size=count * 500)

    reference: Reference = learn({"wind": days(60)}, np.full(600, 0.5), np.zeros(600))
    state, drifted = observe(DriftState(), reference, SPEC, {"wind": days(100)}, [0.5] * 50_000)
    assert len(drifted) == 0
    assert state.last["wind"].psi < 1
    later, drifted = observe(state, reference, SPEC, {"wind": days(4) + 8}, [0.5] * 2000)
    assert [one.features for one in drifted] == [("wind",)]
    assert later.reported == ("wind",)


def test_effects_name_their_size() -> None:
    columns, scores = rows(500, 14, x0=0.5, x1=1.0)
    state, _ = observe(DriftState(), REFERENCE, SPEC, columns, scores)
    assert state.last["x1"].psi > state.last["x0"].psi > 0.05
    assert state.last["x2"].psi == pytest.approx(0, abs=0.03)


def test_a_window_that_is_made_shorter_while_it_fills_is_closed_and_the_next_is_as_long_as_asked() -> None:
    columns, scores = rows(900, 15)
    state, _ = observe(DriftState(), REFERENCE, DriftSpec(window=1000), columns, scores)
    state, _ = observe(state, REFERENCE, DriftSpec(window=500), columns, scores)
    assert (state.judged, state.open.rows) == (2, 399)
