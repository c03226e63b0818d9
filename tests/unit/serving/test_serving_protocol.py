"""Requests by a signature: what fits comes out as it went in, what does not is refused with its field; nothing else happens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.boundary.predictions import Prediction, mint
from lockgate.boundary.routes import Revision
from lockgate.kernel.errors import Fault, Invalid, InvalidInput
from lockgate.serving.protocol import labels
from lockgate.serving.protocol.answers import Encoder, Parameters
from lockgate.serving.protocol.column import Column
from lockgate.serving.protocol.columns import Batch, Decoder
from lockgate.serving.protocol.parsing import parse as parse_any
from lockgate.serving.protocol.problems import refusal
from lockgate.serving.protocol.requests import parse

SIGNATURE = Signature(
    inputs=(
        Tensor("x", "FP32", (-1, 1)),
        Tensor("n", "INT64", (-1, 1)),
        Tensor("s", "BYTES", (-1, 1)),
        Tensor("v", "FP64", (-1, 3)),
    ),
    outputs=(Tensor("label", "BYTES", (-1,)), Tensor("odds", "FP32", (-1, 2))),
    score="odds",
    score_column=1,
)
DECODER = Decoder(SIGNATURE)

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
rows = st.lists(
    st.fixed_dictionaries(
        {"x": floats, "n": st.integers(-(2**63), 2**63 - 1), "s": st.text(), "v": st.lists(floats, min_size=3, max_size=3)}
    ),
    min_size=1,
    max_size=5,
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def as_columns(given_rows: list[dict[str, Any]], *, nested: bool = False) -> dict[str, Any]:
    def tensor(one: Tensor) -> dict[str, Any]:
        cells = [row[one.name] for row in given_rows]
        shape = [len(given_rows), *one.shape[1:]]
        flat = [value for cell in cells for value in cell] if one.name == "v" else cells
        deep = cells if one.name == "v" else [[cell] for cell in cells]
        return {"name": one.name, "datatype": one.datatype, "shape": shape, "data": deep if nested else flat}

    return {"inputs": [tensor(one) for one in SIGNATURE.inputs]}


def outcome(request: dict[str, Any]) -> tuple[Batch | None, Sequence[Fault]]:
    """The rows, or what is wrong with them."""
    try:
        return DECODER.decode(parse(json.dumps(request).encode())), ()
    except InvalidInput as error:
        return None, error.faults


@given(rows, st.booleans())
def test_columns_and_rows_mean_the_same(given_rows: list[dict[str, Any]], nested: bool) -> None:  # noqa: FBT001 - drawn
    by_columns = DECODER.decode(parse(json.dumps(as_columns(given_rows, nested=nested)).encode()))
    by_rows = DECODER.decode(parse(json.dumps({"instances": given_rows}).encode()))
    assert by_columns.rows == by_rows.rows == len(given_rows)
    for name, array in by_columns.feeds.items():
        assert array.dtype == by_rows.feeds[name].dtype
        assert array.tolist() == by_rows.feeds[name].tolist()
    assert [cell for (cell,) in by_columns.feeds["x"].tolist()] == [np.float32(row["x"]) for row in given_rows]
    assert by_columns.feeds["n"].tolist() == [[row["n"]] for row in given_rows]
    assert by_columns.feeds["s"].tolist() == [[row["s"]] for row in given_rows]
    assert by_columns.feeds["v"].tolist() == [row["v"] for row in given_rows]


@given(st.binary())
def test_no_bytes_do_anything_but_be_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        DECODER.decode(parse(body))


@given(rows, st.sampled_from(["inputs", "name", "datatype", "shape", "data", "value"]), anything, st.data())
def test_anything_anywhere_is_answered_or_refused_with_a_field(
    given_rows: list[dict[str, Any]], where: str, what: Any, data: st.DataObject
) -> None:
    request = as_columns(given_rows)
    tensor = data.draw(st.sampled_from(request["inputs"]))
    if where == "inputs":
        request["inputs"] = what
    elif where == "value":
        tensor["data"][data.draw(st.integers(0, len(tensor["data"]) - 1))] = what
    else:
        tensor[where] = what
    batch, faults = outcome(request)
    assert batch or faults
    if batch:
        assert all(len(array) == batch.rows for array in batch.feeds.values())
        assert all(np.isfinite(batch.feeds[name]).all() for name in ("x", "n", "v"))


def test_half_a_surrogate_pair_is_no_text_even_where_constants_are_read() -> None:
    for more in (b"", b', "more": NaN'):
        body = b'{"instances": [{"x": 1, "n": 1, "s": "\\ud800", "v": [1, 2, 3]}]' + more + b"}"
        with pytest.raises(InvalidInput, match="not JSON"):
            parse(body)


@pytest.mark.parametrize("count", [1, 3])
def test_two_labels_for_one_prediction_in_one_request_are_refused(count: int) -> None:
    prediction = Prediction(version=1, revision=Revision(1, 1), key=7, score=0.5, answered_at=1.0, serial=1)
    ids = [mint(b"k" * 32, "m", prediction._replace(serial=serial)) for serial in range(count)]
    body = json.dumps([{"prediction_id": one, "label": 1} for one in ids]).encode()
    assert len(labels.parse(body, b"k" * 32, "m", 0.0)) == count
    twice = json.dumps([{"prediction_id": one, "label": label} for label in (0, 1) for one in ids]).encode()
    with pytest.raises(InvalidInput) as caught:
        labels.parse(twice, b"k" * 32, "m", 0.0)
    assert [fault.path for fault in caught.value.faults] == [f"[{count + index}].prediction_id" for index in range(count)]


def test_a_label_is_told_with_the_segment_that_its_prediction_id_names() -> None:
    prediction = Prediction(version=1, revision=Revision(1, 1), key=7, score=0.5, answered_at=1.0, serial=2**32 - 1, segment=3)
    body = json.dumps({"prediction_id": mint(b"k" * 32, "m", prediction), "label": 1}).encode()
    assert [label.segment for label in labels.parse(body, b"k" * 32, "m", 0.0)] == [3]


@pytest.mark.parametrize("body", [b"\x1f\x8b\x08", b"", b"{}x"])
def test_a_compressed_body_is_told_from_a_broken_one(body: bytes) -> None:
    for encoding, status in (("gzip", 415), ("identity", 400), (None, 400)):
        with pytest.raises(InvalidInput) as caught:
            parse_any(body, lambda name, given=encoding: given if name == "content-encoding" else None)  # type: ignore[misc]
        assert refusal(caught.value).status == status


@given(rows, anything, st.sampled_from(["x", "n", "s", "v"]))
def test_any_value_in_a_row_is_answered_or_refused_with_a_field(given_rows: list[dict[str, Any]], what: Any, name: str) -> None:
    given_rows[-1][name] = what
    batch, faults = outcome({"instances": given_rows})
    if batch:
        assert batch.rows == len(given_rows)
    else:
        assert faults[0].path == name or f".{name}" in faults[0].path


@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e39])
def test_a_number_that_is_not_finite_is_found_in_any_row(count: int, value: float) -> None:
    column = Column(Tensor("x", "FP32", (-1, 1)))
    values = [1.0] * count
    values[count // 2] = value
    with pytest.raises(ValueError, match=f"row {count // 2}: .* is not a finite FP32 number"):
        column.array(values)


def test_all_faults_of_a_request_are_told_at_once() -> None:
    request = as_columns([{"x": 1.0, "n": 1, "s": "a", "v": [1.0, 2.0, 3.0]}])
    request["inputs"][0]["data"] = [None]
    request["inputs"][1]["data"] = [1.5]
    request["inputs"][2]["data"] = [7]
    with pytest.raises(InvalidInput) as caught:
        DECODER.decode(parse(json.dumps(request).encode()))
    assert {fault.path: fault.message for fault in caught.value.faults} == {
        "x": "row 0: expected float, got null",
        "n": "row 0: expected int, got 1.5",
        "s": "row 0: expected str, got int",
    }


@pytest.mark.parametrize("tensor", [Tensor("x", "COMPLEX", (-1, 1)), Tensor("x", "FP32", ()), Tensor("x", "FP32", (-1, -2))])
def test_a_signature_that_nothing_can_fit_is_refused_when_it_is_loaded(tensor: Tensor) -> None:
    with pytest.raises(Invalid, match="'x'"):
        Decoder(Signature((tensor,), SIGNATURE.outputs, "odds"))


def test_only_the_outputs_that_were_asked_for_are_written() -> None:
    request = parse(b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}], "outputs": [{"name": "odds"}]}')
    outputs = [np.array(["late"], dtype=object), np.array([[0.25, 0.75]], dtype=np.float32)]
    frame = {"model_name": "m", "model_version": "1", "id": "7", "parameters": Parameters(prediction_id="p")}
    headers, body = Encoder(SIGNATURE).answer(request, outputs, [0.75], **frame)  # type: ignore[arg-type] # of the frame
    content = json.loads(body)
    assert headers == [("content-type", "application/json")]
    assert content == {
        "model_name": "m",
        "model_version": "1",
        "id": "7",
        "parameters": {"prediction_id": "p"},
        "outputs": [{"name": "odds", "datatype": "FP32", "shape": [1, 2], "data": [0.25, 0.75]}],
    }
