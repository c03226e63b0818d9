"""Evaluations survive their encoding, and what is none is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.evaluation import Evaluation, decode, encode
from lockgate.kernel.errors import Invalid

evaluations = st.lists(
    st.tuples(st.text(), st.floats(allow_nan=False), st.floats(allow_nan=False), st.text()), unique_by=lambda row: row[0]
).map(
    lambda rows: Evaluation(
        [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows], {"origin": [row[3] for row in rows]}
    )
)


@given(evaluations)
def test_round_trip(evaluation: Evaluation) -> None:
    assert decode(encode(evaluation)) == evaluation


def test_slices_in_another_order_are_the_same_bytes() -> None:
    one = Evaluation(["1"], [0.5], [1.0], {"a": ["x"], "b": ["y"]})
    other = Evaluation(["1"], [0.5], [1.0], {"b": ["y"], "a": ["x"]})
    assert encode(one) == encode(other)


def test_columns_have_one_length() -> None:
    with pytest.raises(Invalid, match="2 examples has 1 values of 'label'"):
        Evaluation(["1", "2"], [0.5, 0.5], [1.0])


def test_ids_are_unique() -> None:
    with pytest.raises(Invalid, match="names 1 of its examples twice"):
        Evaluation(["1", "1"], [0.5, 0.5], [1.0, 0.0])


@pytest.mark.parametrize("content", [b"", b"\x93\x01", encode(Evaluation([], [], []))[:-3]])
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match="these bytes are no evaluation"):
        decode(content)
