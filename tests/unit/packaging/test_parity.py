"""Comparing answers with golden rows, choosing these rows, and reading columns as tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.manifest import Golden, Signature, Tensor
from lockgate.kernel.errors import Invalid
from lockgate.stages.build.packaging.golden import ROWS, golden_rows, spread
from lockgate.stages.build.packaging.parity import compare, tolerance_for, verify
from lockgate.stages.build.packaging.tensors import tensors

GOLDEN = Golden(inputs={"x": [1, 2, 3]}, scores=[0.1, 0.5, 0.9], tolerance=1e-5)


def test_answers_within_tolerance_hold() -> None:
    parity = verify(GOLDEN, [0.100009, 0.5, 0.899991])
    assert parity.holds
    assert parity.differences.max() == pytest.approx(9e-6)


def test_the_worst_row_is_named() -> None:
    parity = verify(GOLDEN, np.array([0.1001, 0.5, 0.7]))
    assert not parity.holds
    assert parity.kept.tolist() == [False, True, False]
    assert parity.worst == 2
    text = str(parity)
    assert text.startswith("2 of 3 rows differ by more than 1e-05; at worst, in row 2, 0.9 was expected and 0.7 was answered")


def test_no_number_is_no_answer() -> None:
    parity = verify(GOLDEN, [0.1, float("nan"), 0.9])
    assert not parity.holds
    assert parity.worst == 1


@pytest.mark.parametrize("answered", [[], [0.1, 0.5], [0.1, 0.5, 0.9, 1.0]])
def test_every_row_needs_one_answer(answered: list[float]) -> None:
    with pytest.raises(Invalid, match="answers found for 3 rows"):
        verify(GOLDEN, answered)


def test_nothing_compared_is_not_agreement() -> None:
    with pytest.raises(Invalid):
        compare([], [], 1e-5)


def test_tolerance_follows_the_size_of_predictions_but_not_of_probabilities() -> None:
    assert tolerance_for([0.001, 0.002], probabilities=True) == pytest.approx(1e-5)
    assert tolerance_for([-9_000.0, 20.0], probabilities=False) == pytest.approx(0.09)
    assert tolerance_for([0.0, 0.0], probabilities=False) == pytest.approx(1e-5)


@given(st.integers(0, 5_000), st.integers(1, 2_000))
def test_spread_rows_reach_from_end_to_end(n: int, most: int) -> None:
    rows = spread(n, most).tolist()
    assert rows == sorted(set(rows))
    assert len(rows) == min(n, most)
    if n and most > 1:
        assert (rows[0], rows[-1]) == (0, n - 1)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=200))
def test_golden_rows_are_eligible_and_hold_the_extremes(rows: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in rows], dtype=np.float64)
    eligible = np.array([ok for _, ok in rows], dtype=np.bool_)
    chosen = golden_rows(scores, eligible)
    assert eligible[chosen].all()
    assert len(set(chosen.tolist())) == len(chosen)
    assert len(chosen) == min(int(eligible.sum()), ROWS)
    if eligible.any():
        assert scores[chosen].min() == scores[eligible].min()
        assert scores[chosen].max() == scores[eligible].max()


SIGNATURE = Signature(
    inputs=(Tensor("carrier", "BYTES", (-1, 1)), Tensor("hour", "INT64", (-1, 1)), Tensor("distance", "FP32", (-1, 1))),
    outputs=(Tensor("probabilities", "FP32", (-1, 2)),),
    score="probabilities",
    score_column=1,
)
COLUMNS: dict[str, list[Any]] = {"carrier": ["AA", "ÜA"], "hour": [1, 2], "distance": [1.5, 2]}


def test_columns_become_tensors_of_one_column_each() -> None:
    found = tensors(SIGNATURE, COLUMNS)
    assert {name: (array.dtype.kind, array.itemsize, array.shape) for name, array in found.items()} == {
        "carrier": ("O", 8, (2, 1)),
        "hour": ("i", 8, (2, 1)),
        "distance": ("f", 4, (2, 1)),
    }


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"carrier": ["AA"], "hour": [1]}, "input 'distance' is missing; carrier, hour found"),
        ({**COLUMNS, "hour": ["noon", 1]}, "input 'hour' is no INT64"),
    ],
)
def test_columns_that_do_not_fit_are_named(columns: dict[str, list[Any]], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        tensors(SIGNATURE, columns)


def test_a_datatype_that_cannot_be_read_is_named() -> None:
    signature = Signature((Tensor("x", "UINT8", (-1, 1)),), SIGNATURE.outputs, "probabilities")
    with pytest.raises(Invalid, match="datatype 'UINT8'"):
        tensors(signature, {"x": [1]})


def test_there_are_as_many_golden_rows_as_can_be() -> None:
    scores = np.linspace(0, 1, 500)
    assert len(golden_rows(scores, np.ones(500, dtype=np.bool_))) == ROWS
    assert golden_rows(scores, np.arange(500) < 3).tolist() == [0, 1, 2]
