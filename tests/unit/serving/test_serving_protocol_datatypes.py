"""Every datatype of the protocol, as JSON and as bytes: what an answer says is what a request with it means."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.boundary.manifest import Tensor
from lockgate.embedded.datatypes import DATATYPES as DATATYPES_BY_NAME
from lockgate.embedded.values import BadValue, cast
from lockgate.serving.protocol.answers import Encoder
from lockgate.serving.protocol.columns import Decoder
from tests.unit.serving.protocol_samples import (
    DATATYPES,
    INTEGERS,
    answered,
    bf16,
    binary,
    decoded,
    faults_of,
    parsed,
    signature,
    tensor,
    values_of_type,
    with_bytes,
)

shapes = st.lists(st.integers(1, 3), min_size=1, max_size=3)


def both_ways(datatype: str, free: tuple[int, ...]) -> tuple[Decoder, Encoder]:
    tensors = (Tensor("x", datatype, free),)
    return Decoder(signature(*tensors)), Encoder(signature(*tensors, outputs=tensors, score="x"))


@pytest.mark.parametrize("as_bytes", [False, True], ids=["json", "bytes"])
@pytest.mark.parametrize("datatype", DATATYPES)
@settings(max_examples=30)
@given(data=st.data())
def test_what_is_written_reads_back_as_it_was(datatype: str, as_bytes: bool, data: st.DataObject) -> None:  # noqa: FBT001
    shape = data.draw(shapes)
    values = data.draw(st.lists(values_of_type(datatype), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    decoder, encoder = both_ways(datatype, (-1,) * len(shape))
    given_data = binary(datatype, values) if as_bytes else values
    body, headers = with_bytes([tensor("x", datatype, shape, given_data)], parameters={"binary_data_output": as_bytes})
    request = parsed(body, headers)
    batch = decoder.decode(request)
    assert batch.feeds["x"].shape == tuple(shape)
    assert batch.feeds["x"].ravel().tolist() == values == batch.values["x"]
    told = answered(encoder, request, [batch.feeds["x"]])
    output = told.json["outputs"][0]
    assert (output["datatype"], output["shape"]) == (datatype, shape)
    if as_bytes:
        assert output["parameters"] == {"binary_data_size": len(told.behind)}
        assert told.behind == binary(datatype, values)
    else:
        assert output["data"] == values
        again = decoded(decoder, json.dumps({"inputs": [output]}).encode())
        assert again.feeds["x"].tolist() == batch.feeds["x"].tolist()


@pytest.mark.parametrize("datatype", DATATYPES)
def test_one_row_and_several_rows_become_the_same_arrays(datatype: str) -> None:
    """The quick way for one row, and the thorough one."""
    value: Any = {"BYTES": "a", "BOOL": True}.get(datatype, 1)
    decoder, _ = both_ways(datatype, (-1, 1))
    one = decoded(decoder, {"inputs": [tensor("x", datatype, [1, 1], [value])]}).feeds["x"]
    two = decoded(decoder, {"inputs": [tensor("x", datatype, [2, 1], [value, value])]}).feeds["x"]
    row = decoded(decoder, {"instances": [{"x": value}]}).feeds["x"]
    assert one.dtype == two.dtype == row.dtype
    assert (one.shape, two.shape, row.shape) == ((1, 1), (2, 1), (1, 1))
    assert one.tolist() == two.tolist()[:1] == row.tolist() == [[value]]


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("datatype", INTEGERS)
def test_an_integer_may_be_written_as_a_whole_float_and_no_other(datatype: str, rows: int) -> None:
    decoder, _ = both_ways(datatype, (-1, 1))
    whole = decoded(decoder, {"inputs": [tensor("x", datatype, [rows, 1], [3.0] * rows)]}).feeds["x"]
    assert (whole.tolist(), whole.dtype.kind) == ([[3]] * rows, "i" if datatype.startswith("I") else "u")
    (fault,) = faults_of(decoder, {"inputs": [tensor("x", datatype, [rows, 1], [1.5] * rows)]})
    assert (fault.path, fault.message) == ("x", "row 0: expected int, got 1.5")


@pytest.mark.parametrize("rows", [1, 300])
@pytest.mark.parametrize("datatype", [*INTEGERS, "FP16", "FP32", "FP64", "BF16"])
def test_a_number_out_of_range_is_refused_and_its_row_is_named(datatype: str, rows: int) -> None:
    decoder, _ = both_ways(datatype, (-1, 1))
    over: Any = 10**400 if datatype == "FP64" else 70_000 if datatype == "FP16" else 10.0**39
    for value in (over, -over):
        values = [1] * (rows - 1) + [value]
        faults = faults_of(decoder, {"inputs": [tensor("x", datatype, [rows, 1], values)]})
        assert len(faults) == 1
        if value not in (10**400, -(10**400)):  # so many digits are no number to the JSON reader
            assert faults[0].path == "x"
            assert f"row {rows - 1}: " in faults[0].message


@pytest.mark.parametrize("datatype", [one for one in DATATYPES if one not in ("BYTES", "BOOL")])
@pytest.mark.parametrize("value", [True, None, "1", [1], {"a": 1}])
def test_what_is_no_number_is_refused(datatype: str, value: Any) -> None:
    decoder, _ = both_ways(datatype, (-1, 1))
    for content in ({"inputs": [tensor("x", datatype, [2, 1], [1, value])]}, {"instances": [{"x": 1}, {"x": value}]}):
        (fault,) = faults_of(decoder, content)
        assert fault.path == "x"
        assert fault.message.startswith("row 1: ")


@pytest.mark.parametrize("value", [0, 1, 1.0, None, "true"])
def test_only_true_and_false_are_truth_values(value: Any) -> None:
    decoder, _ = both_ways("BOOL", (-1, 1))
    assert faults_of(decoder, {"inputs": [tensor("x", "BOOL", [1, 1], [value])]})[0].path == "x"


@pytest.mark.parametrize(
    ("number", "bits"), [(1.0, 0x3F80), (1.00390625, 0x3F80), (1.01171875, 0x3F82), (-3.5, 0xC060), (0.1, 0x3DCD)]
)
def test_bf16_is_rounded_to_the_nearest_and_ties_to_even(number: float, bits: int) -> None:
    decoder, encoder = both_ways("BF16", (-1, 1))
    request = parsed({"inputs": [tensor("x", "BF16", [1, 1], [number])], "parameters": {"binary_data_output": True}})
    feed = decoder.decode(request).feeds["x"]
    assert (feed.dtype.name, feed.tolist()) == ("float32", [[bf16(bits)]])
    assert answered(encoder, request, [np.array([[number]], np.float32)]).behind == bits.to_bytes(2, "little")


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64", "BF16"])
@pytest.mark.parametrize("name", ["nan", "inf", "-inf"])
def test_numbers_that_are_not_finite_are_refused_as_json_and_as_bytes(datatype: str, name: str) -> None:
    decoder, _ = both_ways(datatype, (-1, 1))
    for rows in (1, 2, 300):
        values = [1.0] * (rows - 1) + [float(name)]
        by_json = faults_of(decoder, {"inputs": [tensor("x", datatype, [rows, 1], values)]})
        by_bytes = faults_of(decoder, *with_bytes([tensor("x", datatype, [rows, 1], binary(datatype, values))]))
        for (fault,) in (by_json, by_bytes):
            assert fault.path == "x"
            assert fault.message == f"row {rows - 1}: {name} is not a finite {datatype} number"


def test_an_output_that_is_not_finite_is_null_in_json_and_itself_in_bytes() -> None:
    decoder, encoder = both_ways("FP32", (-1,))
    outputs = [np.array([np.nan, np.inf], np.float32)]
    plain = parsed({"inputs": [tensor("x", "FP32", [1], [1.0])]})
    assert answered(encoder, plain, outputs).json["outputs"][0]["data"] == [None, None]
    asked = {"inputs": [tensor("x", "FP32", [1], [1.0])], "outputs": [{"name": "x", "parameters": {"binary_data": True}}]}
    told = answered(encoder, parsed(asked), outputs)
    assert np.array_equal(np.frombuffer(told.behind, np.float32), outputs[0], equal_nan=True)
    assert decoder.names == ("x",)


def test_arrays_of_another_datatype_fit_only_if_every_number_does() -> None:
    """As Arrow and pandas bring them: the widest type, whatever is in it."""
    for kept, datatype in ((np.array([65504, -1]), "FP16"), (np.array([1.0, 255.0]), "UINT8"), (np.array([-128, 127]), "INT8")):
        assert cast(kept, DATATYPES_BY_NAME[datatype]).tolist() == kept.tolist()
    for over, datatype in ((np.array([0, 65505]), "FP16"), (np.array([0.0, 256.0]), "UINT8"), (np.array([0, -129]), "INT8")):
        with pytest.raises(BadValue) as caught:
            cast(over, DATATYPES_BY_NAME[datatype])
        assert caught.value.index == 1
