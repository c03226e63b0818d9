"""Tensors as bytes: they arrive as they were sent, without a copy where that can be, and every contradiction is named."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from lockgate.boundary.manifest import Tensor
from lockgate.kernel.errors import Invalid, InvalidInput
from lockgate.serving.protocol.answers import Encoder
from lockgate.serving.protocol.columns import Decoder
from lockgate.serving.protocol.requests import values_of
from tests.unit.serving.protocol_samples import (
    LENGTH,
    answered,
    binary,
    decoded,
    faults_of,
    parsed,
    signature,
    tensor,
    with_bytes,
)

OUTPUTS = (Tensor("label", "BYTES", (-1,)), Tensor("odds", "FP32", (-1, 2)), Tensor("yes", "BOOL", (-1,)))
SIGNED = signature(Tensor("x", "FP32", (-1, 1)), Tensor("s", "BYTES", (-1, 1)), outputs=OUTPUTS, score="odds")
DECODER, ENCODER = Decoder(SIGNED), Encoder(SIGNED)
X, S = tensor("x", "FP32", [2, 1], binary("FP32", [1.5, -2.0])), tensor("s", "BYTES", [2, 1], binary("BYTES", ["ä", ""]))
ANSWER = [np.array(["late", "ontime"], object), np.array([[0.25, 0.75], [1.0, 0.0]], np.float32), np.array([True, False])]


def test_bytes_and_json_may_be_mixed_in_any_order() -> None:
    for tensors in ([X, S], [S, X], [X, {**S, "data": ["ä", ""]}], [{**X, "data": [1.5, -2.0]}, S]):
        batch = decoded(DECODER, *with_bytes(tensors, id="7"))
        assert batch.rows == 2
        assert batch.feeds["x"].tolist() == [[1.5], [-2.0]]
        assert batch.feeds["s"].tolist() == [["ä"], [""]]
        assert batch.values == {"x": [1.5, -2.0], "s": ["ä", ""]}


def test_one_row_is_read_like_many() -> None:
    x, s = tensor("x", "FP32", [1, 1], [1.5]), tensor("s", "BYTES", [1, 1], ["ä"])
    x_bytes, s_bytes = {**x, "data": binary("FP32", [1.5])}, {**s, "data": binary("BYTES", ["ä"])}
    for tensors in ([x, s], [x_bytes, s_bytes], [x, s_bytes], [x_bytes, s], [s_bytes, x_bytes]):
        batch = decoded(DECODER, *with_bytes(tensors))
        assert {name: array.tolist() for name, array in batch.feeds.items()} == {"x": [[1.5]], "s": [["ä"]]}
        assert batch.values == {"x": [1.5], "s": ["ä"]}


def test_a_body_whose_last_byte_closes_a_brace_is_still_read_by_its_header() -> None:
    body, headers = with_bytes([X, {**S, "data": binary("BYTES", ["a", "}"])}])
    assert body.endswith(b"}")
    assert decoded(DECODER, body, headers).feeds["s"].tolist() == [["a"], ["}"]]


def test_aligned_bytes_are_not_copied_and_others_are_aligned() -> None:
    decoder = Decoder(signature(Tensor("x", "FP64", (-1, -1))))
    numbers = np.arange(12.0)
    shared = []
    for spaces in range(8):
        head = b'{"inputs":[{"name":"x","shape":[2,6],"datatype":"FP64","parameters":{"binary_data_size":96}}]}' + b" " * spaces
        body = head + numbers.tobytes()
        array = decoded(decoder, body, {LENGTH: str(len(head))}).feeds["x"]
        assert array.tolist() == numbers.reshape(2, 6).tolist()
        assert array.flags.aligned
        shared.append(np.shares_memory(array, np.frombuffer(body, np.uint8)))
    assert shared.count(True) == 1


def test_bytes_that_are_not_utf8_reach_only_a_model_that_takes_them() -> None:
    body, headers = with_bytes([X, {**S, "data": binary("BYTES", [b"ok", b"\xff\x00"])}])
    (fault,) = faults_of(DECODER, body, headers)
    assert (fault.path, fault.message) == ("s", "row 1: these bytes are not UTF-8, and this model takes text")
    batch = decoded(Decoder(SIGNED, text=False), body, headers)
    assert batch.feeds["s"].tolist() == [[b"ok"], [b"\xff\x00"]] == [[value] for value in batch.values["s"]]


def test_a_field_can_be_read_before_the_model_is_known() -> None:
    request = parsed(*with_bytes([X, S]))
    assert list(values_of(request, "x")) == [1.5, -2.0]
    assert list(values_of(request, "s")) == ["ä", ""]
    assert list(values_of(request, "z")) == []


def spoiled(change: dict[str, Any], body: bytes | None = None, length: str | None = None) -> tuple[bytes, dict[str, str]]:
    """A request that is right but for the parameters of its first input, what follows its JSON, or the header."""
    announced = {"name": "x", "shape": [2, 1], "datatype": "FP32", "parameters": {"binary_data_size": 8}} | change
    head = json.dumps({"inputs": [announced, {**S, "data": ["a", "b"]}]}).encode()
    return head + (struct.pack("<ff", 1.0, 2.0) if body is None else body), {LENGTH: length or str(len(head))}


SPOILED = {
    "cut off": (spoiled({}, b"\x00" * 7), "x", "8 bytes are told, 7 are left"),
    "too long": (spoiled({}, b"\x00" * 9), "binary_data_size", "9 bytes follow the JSON, its inputs tell of 8"),
    "a negative size": (spoiled({"parameters": {"binary_data_size": -8}}), "x", "a number of bytes expected"),
    "a size that is no number": (spoiled({"parameters": {"binary_data_size": "8"}}), "x", "a number of bytes expected"),
    "a size that is a truth value": (spoiled({"parameters": {"binary_data_size": True}}), "x", "a number of bytes expected"),
    "a huge size": (spoiled({"parameters": {"binary_data_size": 2**70}}), "x", "bytes are told, 8 are left"),
    "half a number": (spoiled({"parameters": {"binary_data_size": 6}}, b"\x00" * 6), "x", "a multiple of 4 expected"),
    "fewer than the shape says": (spoiled({"shape": [2, 2]}), "x", "[rows, 1] expected"),
    "more rows than bytes": (spoiled({"shape": [3, 1]}), "x", "holds 3 values, its data has 2"),
    "data and bytes": (spoiled({"data": [1.0, 2.0]}), "x", "has data and binary_data_size"),
    "neither data nor bytes": (spoiled({"parameters": {}}, b""), "x", "has no data"),
    "an unknown datatype": (spoiled({"datatype": "FP8"}), "x", "'FP8' found, one of BOOL"),
    "another datatype": (spoiled({"datatype": "INT32"}), "x", "'FP32' expected"),
    "shared memory": (spoiled({"parameters": {"shared_memory_region": "r"}}, b""), "x", "has no data"),
    "a header that is no number": (spoiled({}, length="1e3"), LENGTH, "a number of bytes from 0"),
    "a negative header": (spoiled({}, length="-1"), LENGTH, "a number of bytes from 0"),
    "a header beyond the body": (spoiled({}, length="100000"), LENGTH, "a number of bytes from 0"),
    "a header within the JSON": (spoiled({}, length="20"), "", "this is not JSON"),
    "a header of many digits": (spoiled({}, length="9" * 5000), LENGTH, "a number of bytes from 0"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_every_contradiction_is_named(what: str) -> None:
    request, field, message = SPOILED[what]
    faults = faults_of(DECODER, *request)
    assert [fault.path for fault in faults][:1] == [field]
    assert message in faults[0].message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x01\x00\x00", "element 0: its length is cut off"),
        (b"\x00\x00\x00\x00\x05\x00\x00\x00abc", "element 1: 5 bytes are told, 3 are left"),
        (b"\xff\xff\xff\xff", "element 0: 4294967295 bytes are told, 0 are left"),
        (b"\x01\x00\x00\x00a", "holds 2 values, its data has 1"),
    ],
)
def test_broken_elements_are_named(content: bytes, message: str) -> None:
    (fault,) = faults_of(DECODER, *with_bytes([{**X, "data": [1.0, 2.0]}, {**S, "data": content}]))
    assert fault.path == "s"
    assert message in fault.message


def test_a_truth_value_is_one_byte_of_zero_or_one() -> None:
    decoder = Decoder(signature(Tensor("b", "BOOL", (-1,))))
    assert decoded(decoder, *with_bytes([tensor("b", "BOOL", [2], b"\x01\x00")])).feeds["b"].tolist() == [True, False]
    (fault,) = faults_of(decoder, *with_bytes([tensor("b", "BOOL", [2], b"\x02\x00")]))
    assert fault.message == "a truth value is neither 0 nor 1"


def test_a_body_without_json_is_the_only_input_and_is_answered_in_bytes() -> None:
    decoder = Decoder(signature(Tensor("x", "INT16", (-1, 2))))
    numbers = np.array([[1, 2], [3, -4]], "<i2")
    request = parsed(numbers.tobytes(), {LENGTH: "0"})
    assert decoder.decode(request).feeds["x"].tolist() == numbers.tolist()
    assert answered(ENCODER, request, ANSWER, 2).behind.startswith(binary("BYTES", ["late", "ontime"]))
    text = decoded(Decoder(signature(Tensor("s", "BYTES", (-1, 1)))), "ä}".encode(), {LENGTH: "0"})
    assert text.feeds["s"].tolist() == [["ä}"]]
    assert "only a model with one input" in faults_of(DECODER, b"abcd", {LENGTH: "0"})[0].message
    assert "at least one row" in faults_of(decoder, b"", {LENGTH: "0"})[0].message
    assert "a multiple of 2" in faults_of(decoder, b"abc", {LENGTH: "0"})[0].message
    assert faults_of(decoder, b"ab", {LENGTH: "0"})


def asked(outputs: Sequence[object] | None = None, **parameters: Any) -> Any:
    more: dict[str, Any] = {"parameters": parameters} if parameters else {}
    if outputs is not None:
        more["outputs"] = outputs
    return parsed(*with_bytes([X, S], **more))


def test_all_outputs_come_as_bytes_if_the_request_says_so_and_follow_the_json_in_its_order() -> None:
    told = answered(ENCODER, asked(binary_data_output=True), ANSWER, 2)
    assert told.headers["content-type"] == "application/octet-stream"
    sizes = [output["parameters"]["binary_data_size"] for output in told.json["outputs"]]
    assert [output["name"] for output in told.json["outputs"]] == ["label", "odds", "yes"]
    assert all("data" not in output for output in told.json["outputs"])
    parts = [told.behind[sum(sizes[:place]) : sum(sizes[: place + 1])] for place in range(3)]
    assert parts == [binary("BYTES", ["late", "ontime"]), binary("FP32", [0.25, 0.75, 1.0, 0.0]), b"\x01\x00"]
    assert sum(sizes) == len(told.behind)


def test_exactly_the_outputs_that_were_asked_for_come_each_in_its_form() -> None:
    wanted = [{"name": "yes", "parameters": {"binary_data": True}}, {"name": "label"}]
    told = answered(ENCODER, asked(wanted), ANSWER, 2)
    assert [(one["name"], one.get("data")) for one in told.json["outputs"]] == [("yes", None), ("label", ["late", "ontime"])]
    assert told.behind == b"\x01\x00"
    overridden = [{"name": "odds", "parameters": {"binary_data": False}}, {"name": "yes"}]
    told = answered(ENCODER, asked(overridden, binary_data_output=True), ANSWER, 2)
    assert [(one["name"], one.get("data")) for one in told.json["outputs"]] == [("odds", [0.25, 0.75, 1.0, 0.0]), ("yes", None)]


def test_without_bytes_in_it_an_answer_is_plain_json() -> None:
    told = answered(ENCODER, asked([{"name": "odds"}], binary_data_output=False), ANSWER, 2)
    assert told.headers == {"content-type": "application/json"}
    assert told.behind == b""


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"outputs": [{"name": "speed"}]}, "outputs[0]"),
        ({"outputs": [{"name": "yes"}, {"name": "yes"}]}, "outputs[1]"),
        ({"outputs": [{"name": "yes", "parameters": {"binary_data": "true"}}]}, "outputs[0].parameters.binary_data"),
        ({"outputs": [{"name": "yes", "parameters": {"classification": 2}}]}, "outputs[0].parameters.classification"),
        (
            {"outputs": [{"name": "yes", "parameters": {"shared_memory_region": "r"}}]},
            "outputs[0].parameters.shared_memory_region",
        ),
        ({"parameters": {"binary_data_output": 1}}, "parameters.binary_data_output"),
    ],
)
def test_what_cannot_be_answered_as_asked_is_refused_before_the_model_runs(change: dict[str, Any], field: str) -> None:
    assert [fault.path for fault in faults_of(DECODER, *with_bytes([X, S], **change))] == [field]


def test_output_bytes_that_are_not_utf8_come_as_bytes_only() -> None:
    outputs = [np.array([b"\xff", "a"], object), *ANSWER[1:]]
    with pytest.raises(InvalidInput, match="'label' holds bytes that are not UTF-8") as caught:
        answered(ENCODER, asked(), outputs, 2)
    assert "binary_data" in (caught.value.hint or "")
    told = answered(ENCODER, asked([{"name": "label"}], binary_data_output=True), outputs, 2)
    assert told.behind == binary("BYTES", [b"\xff", "a"])


def test_an_output_of_another_datatype_is_the_models_fault() -> None:
    for place, wrong in ((0, np.array([1, 2])), (1, np.array([[1, 2], [3, 4]])), (2, np.array([0.5, 1.0]))):
        outputs = [*ANSWER[:place], wrong, *ANSWER[place + 1 :]]
        with pytest.raises(Invalid, match=f"'{OUTPUTS[place].name}'.* signature says") as caught:
            answered(ENCODER, asked(binary_data_output=True), outputs, 2)
        assert not isinstance(caught.value, InvalidInput)
