"""A wheel and the gateway take the same rows: what one refuses the other refuses, and what both take reaches the model alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.embedded.datatypes import DATATYPES, Array
from lockgate.embedded.inputs import Inputs
from lockgate.kernel.errors import InvalidInput
from lockgate.serving.protocol.columns import Decoder
from lockgate.serving.protocol.requests import InferenceRequest

_OUT = (Tensor("y", "FP32", (-1, 1)),)
_SHAPES = [(-1,), (-1, 1), (-1, 2), (-1, -1), (-1, 2, 1)]
_tensors = st.lists(st.tuples(st.sampled_from(list(DATATYPES)), st.sampled_from(_SHAPES)), min_size=1, max_size=3)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.sampled_from([0, 1, -1, 127, 128, 255, 256, 2**31, 2**63 - 1, 2**63])
    | st.floats()
    | st.sampled_from([0.0, 1.0, 65504.0, 65520.0, 3.5e38])
    | st.text(max_size=3)
)
_LIKELY: dict[str, st.SearchStrategy[Any]] = {
    "float": st.floats(-60000, 60000),
    "int": st.integers(0, 127),
    "bool": st.booleans(),
    "bytes": st.text(max_size=3),
}


@st.composite
def asked(draw: st.DrawFn) -> tuple[Signature, list[dict[str, Any]]]:
    """A signature, and rows of which most values fit it."""
    tensors = tuple(Tensor(f"x{index}", *one) for index, one in enumerate(draw(_tensors)))
    rows = draw(st.lists(st.fixed_dictionaries({one.name: _cell(one) for one in tensors}), min_size=1, max_size=3))
    if draw(st.integers(0, 9)) == 0:
        rows[-1] = {name: value for name, value in rows[-1].items() if name != "x0"} | draw(st.sampled_from([{}, {"z": 1}]))
    return Signature(tensors, _OUT, "y"), rows


def _cell(tensor: Tensor) -> st.SearchStrategy[Any]:
    cell = _LIKELY[DATATYPES[tensor.datatype].kind]
    odd = _scalars | st.lists(_scalars, max_size=2) | st.lists(st.lists(_scalars, max_size=2), max_size=2)
    for length in reversed(tensor.shape[1:]):
        cell = st.lists(cell, min_size=1 if length < 0 else length, max_size=2 if length < 0 else length)
    if tensor.shape == (-1, 1):
        cell |= _LIKELY[DATATYPES[tensor.datatype].kind]
    return st.one_of(*[cell] * 8, odd)


def by_gateway(signature: Signature, rows: list[dict[str, Any]]) -> dict[str, Array] | None:
    try:
        return Decoder(signature).decode(InferenceRequest(instances=rows)).feeds
    except InvalidInput:
        return None


def by_wheel(signature: Signature, rows: Any) -> dict[str, Array] | None:
    try:
        return Inputs(signature).given(rows).feeds
    except InvalidInput:
        return None


def check_same(found: dict[str, Array] | None, expected: dict[str, Array] | None) -> None:
    assert (found is None) == (expected is None)
    for name, feed in (expected or {}).items():
        assert found is not None
        assert (found[name].dtype, found[name].shape) == (feed.dtype, feed.shape)
        np.testing.assert_array_equal(found[name], feed)


@given(asked())
def test_rows_are_taken_and_refused_alike(given: tuple[Signature, list[dict[str, Any]]]) -> None:
    signature, rows = given
    check_same(by_wheel(signature, rows), by_gateway(signature, rows))


@given(asked())
def test_the_quick_way_of_one_row_says_what_the_thorough_one_says(given: tuple[Signature, list[dict[str, Any]]]) -> None:
    """Or nothing."""
    signature, rows = given
    if (quick := Inputs(signature).quickly(rows[0])) is not None:
        check_same(quick, by_gateway(signature, rows[:1]))
