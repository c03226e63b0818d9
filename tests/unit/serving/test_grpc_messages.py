"""The messages that travel over gRPC: whether they are the standard's, and what becomes of requests, answers and errors."""

from __future__ import annotations

import os
from contextlib import suppress
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.embedded.datatypes import DATATYPES
from lockgate.kernel.errors import Fault, Invalid, InvalidInput
from lockgate.serving.protocol.answers import Parameters
from lockgate.serving.protocol.columns import Decoder
from lockgate.serving.protocol.problems import answer, problem
from tests.unit.serving.protocol_samples import binary, values_of_type

MISSING = [name for name in ("google", "grpc", "tritonclient") if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING) and os.environ.get("CI") != "true", reason=f"not installed: {', '.join(MISSING)}")

FIELDS = {"BOOL": "bool_contents", "INT64": "int64_contents", "UINT64": "uint64_contents", "BYTES": "bytes_contents"}
FIELDS |= {f"INT{bits}": "int_contents" for bits in (8, 16, 32)} | {f"UINT{bits}": "uint_contents" for bits in (8, 16, 32)}
FIELDS |= {"FP32": "fp32_contents", "FP64": "fp64_contents"}


def new(name: str, **fields: Any) -> Any:
    from lockgate.serving.grpc.messages import INFERENCE

    return INFERENCE[name](**fields)


def request(*tensors: tuple[str, str, list[Any]], raw: bool = False, **fields: Any) -> Any:
    """A ModelInferRequest; each tensor is a name, a datatype and a column of values."""
    message = new("ModelInferRequest", model_name="m", **fields)
    for name, datatype, values in tensors:
        tensor = message.inputs.add(name=name, datatype=datatype, shape=[len(values), 1])
        if raw:
            message.raw_input_contents.append(binary(datatype, values))
        else:
            told = [value.encode() if isinstance(value, str) else value for value in values]
            getattr(tensor.contents, FIELDS[datatype]).extend(told)
            tensor.contents.SetInParent()
    return message


def read(message: Any) -> Any:
    from lockgate.serving.grpc.requests import request_of

    return request_of(message)


def faults_of(message: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        Decoder(Signature((Tensor("x", "FP32", (-1, 1)),), (Tensor("y", "FP32", (-1, 1)),), "y")).decode(read(message))
    return {fault.path: fault.message for fault in caught.value.faults}


def written(message: Any, datatype: str, array: Any, **parameters: Any) -> Any:
    from lockgate.serving.grpc.answers import MessageEncoder

    signature = Signature((Tensor("x", datatype, (-1, 1)),), (Tensor("y", datatype, (-1, 1)), Tensor("z", "FP32", (-1,))), "z")
    outputs = [array, np.zeros(len(array), np.float32)]
    frame = {"model_name": "m", "model_version": "3", "id": "q", "parameters": Parameters(**parameters)}
    _, content = MessageEncoder(signature).answer(read(message), outputs, [0.0], **frame)  # type: ignore[arg-type]
    return new("ModelInferResponse").FromString(content)


def shape_of(descriptor: Any) -> dict[str, Any]:
    fields = {
        one.name: (one.number, one.type, one.is_repeated, one.message_type and one.message_type.full_name)
        for one in descriptor.fields
    }
    return {**fields, **{one.name: shape_of(one) for one in descriptor.nested_types}}


def test_the_messages_and_methods_are_the_standards() -> None:
    from tritonclient.grpc import service_pb2

    from lockgate.serving.grpc.messages import INFERENCE

    theirs, ours = service_pb2.DESCRIPTOR, new("ModelInferRequest").DESCRIPTOR.file
    assert len(ours.message_types_by_name) == 21
    for name, message in ours.message_types_by_name.items():
        assert shape_of(message) == shape_of(theirs.message_types_by_name[name])
    service = theirs.services_by_name["GRPCInferenceService"]
    assert INFERENCE.service == service.full_name
    for path, method in INFERENCE.methods.items():
        known = service.methods_by_name[path.rpartition("/")[2]]
        assert (method.request.DESCRIPTOR.name, method.answer.DESCRIPTOR.name) == (known.input_type.name, known.output_type.name)


@pytest.mark.parametrize("datatype", DATATYPES)
@pytest.mark.parametrize("raw", [False, True])
def test_values_of_every_datatype_come_as_they_were_sent_and_go_back(datatype: str, raw: bool) -> None:  # noqa: FBT001
    if not raw and datatype not in FIELDS:
        return
    decoder = Decoder(Signature((Tensor("x", datatype, (-1, 1)),), (Tensor("y", datatype, (-1, 1)),), "y"))

    @settings(max_examples=20, deadline=None)
    @given(st.lists(values_of_type(datatype), min_size=1, max_size=4))
    def check(values: list[Any]) -> None:
        message = request(("x", datatype, values), raw=raw)
        batch = decoder.decode(read(message))
        assert batch.feeds["x"].shape == (len(values), 1)
        assert batch.feeds["x"].ravel().tolist() == values
        answer = written(message, datatype, batch.feeds["x"], prediction_id="p")
        assert list(answer.outputs[0].shape) == [len(values), 1]
        if raw:
            assert answer.raw_output_contents[0] == binary(datatype, values)
            assert not answer.outputs[0].HasField("contents")
        else:
            told = getattr(answer.outputs[0].contents, FIELDS[datatype])
            assert [value.decode() if isinstance(value, bytes) else value for value in told] == values

    check()


def test_bytes_that_are_no_text_go_both_ways() -> None:
    message = request(("x", "BYTES", [b"\xff"]))
    array = Decoder(Signature((Tensor("x", "BYTES", (-1, 1)),), (Tensor("y", "BYTES", (-1, 1)),), "y"), text=False).decode(
        read(message)
    )
    assert written(message, "BYTES", array.feeds["x"]).outputs[0].contents.bytes_contents == [b"\xff"]


def test_an_answer_with_a_datatype_that_has_no_field_is_bytes_throughout() -> None:
    answer = written(request(("x", "FP32", [1.0])), "FP16", np.array([[1.5]], np.float16))
    assert [len(content) for content in answer.raw_output_contents] == [2, 4]
    assert not any(output.HasField("contents") for output in answer.outputs)


def test_an_answer_holds_what_was_asked_for_in_its_order_and_says_what_is_to_be_known() -> None:
    message = request(("x", "INT8", [1]), outputs=[{"name": "z"}, {"name": "y"}])
    answer = written(message, "INT8", np.array([[1], [2]], np.int8), prediction_ids=("p", "q"), fallback=True)
    assert [output.name for output in answer.outputs] == ["z", "y"]
    assert (answer.model_name, answer.model_version, answer.id) == ("m", "3", "q")
    assert answer.parameters["prediction_ids"].string_param == "p,q"
    assert answer.parameters["fallback"].bool_param is True


def test_an_output_of_another_datatype_is_the_models_fault() -> None:
    for raw in (False, True):
        with pytest.raises(Invalid, match=r"'y'.*signature says INT8"):
            written(request(("x", "FP32", [1.0]), raw=raw), "INT8", np.array([["text"]], object))


def broken(change: str) -> Any:
    message = request(("x", "FP32", [1.0]), raw="raw" in change)
    tensor = message.inputs[0]
    if change == "no contents":
        tensor.ClearField("contents")
    elif change == "another field":
        tensor.contents.int64_contents.append(1)
    elif change == "raw and contents":
        tensor.contents.fp32_contents.append(1.0)
    elif change == "raw for more":
        message.raw_input_contents.append(b"1234")
    elif change == "raw of another size":
        message.raw_input_contents[0] = b"123"
    elif change == "shared memory":
        tensor.parameters["shared_memory_region"].string_param = "r"
    elif change == "FP16 as values":
        tensor.datatype = "FP16"
    elif change.endswith("no datatype"):
        tensor.datatype = "TEXT"
    elif change == "not finite":
        tensor.contents.fp32_contents[0] = float("nan")
    elif change == "a parameter that is nothing":
        message.parameters["binary_data_output"].SetInParent()
    elif change == "twice":
        message.inputs.append(tensor)
    elif change == "too many lengths":
        tensor.shape.extend([1] * 1000)
    elif change == "too many":
        message.inputs.extend(new("ModelInferRequest").InferInputTensor() for _ in range(5000))
    return message


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ("no contents", "x", "has no data"),
        ("another field", "x", "fp32_contents expected"),
        ("raw and contents", "x", "one of them"),
        ("raw for more", "raw_input_contents", "2 found"),
        ("raw of another size", "x", "3 bytes found, a multiple of 4 expected for FP32"),
        ("shared memory", "x", "shared memory"),
        ("FP16 as values", "x", "raw_input_contents"),
        ("no datatype", "x", "'TEXT'"),
        ("raw of no datatype", "x", "'TEXT'"),
        ("not finite", "x", "not a finite"),
        ("a parameter that is nothing", "parameters.binary_data_output", "true or false"),
        ("twice", "inputs[1]", "twice"),
        ("too many", "inputs", "4096"),
        ("too many lengths", "x", "a shape of 1002 lengths"),
    ],
)
def test_every_fault_names_its_field(change: str, field: str, says: str) -> None:
    assert says in faults_of(broken(change))[field]


def test_what_is_small_on_the_wire_and_large_in_memory_is_not_even_parsed() -> None:
    from lockgate.serving.grpc.bounds import check_fields

    large = request(("x", "FP32", [0.5] * 200_000)).SerializeToString()
    check_fields(large)
    for body in (large + b"\x2a\x00" * 20_000, b"\x2a\x00" * 150_000, b"\x78\x01" * 150_000):
        with pytest.raises(InvalidInput, match="16384 fields"):
            check_fields(body)


@given(st.binary(max_size=40))
def test_counting_fields_comes_to_an_end_whatever_the_bytes(noise: bytes) -> None:
    from lockgate.serving.grpc.bounds import check_fields

    with suppress(InvalidInput):
        check_fields(noise * (1 + (300 << 10) // max(len(noise), 1)))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_nothing_but_invalid_input_comes_of_bytes(data: st.DataObject) -> None:
    from google.protobuf.message import DecodeError

    valid = request(("x", "FP32", [1.0]), raw=data.draw(st.booleans())).SerializeToString()
    at = data.draw(st.integers(0, len(valid)))
    noise = data.draw(st.binary(max_size=12))
    decoder = Decoder(Signature((Tensor("x", "FP32", (-1, 1)),), (Tensor("y", "FP32", (-1, 1)),), "y"))
    try:
        message = new("ModelInferRequest").FromString(valid[:at] + noise + valid[at + data.draw(st.integers(0, 12)) :])
        decoder.decode(read(message))
    except (DecodeError, InvalidInput):
        pass


def test_each_problem_has_its_code_and_its_fields() -> None:
    import grpc

    from lockgate.serving.grpc.messages import STATUS
    from lockgate.serving.grpc.statuses import CODES, status_of

    for status, code in CODES.items():
        if status is not HTTPStatus.OK:
            found = status_of(problem(status, "why"))
            assert (found.code, found.message, found.metadata) == (code, b"why", ())
    names = {code.value[0]: code.name for code in grpc.StatusCode}
    assert {names[code] for code in CODES.values()} == {
        "OK", "INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND", "DEADLINE_EXCEEDED",
        "RESOURCE_EXHAUSTED", "UNIMPLEMENTED", "UNAVAILABLE",
    }  # fmt: skip
    assert names[status_of(problem(HTTPStatus.INTERNAL_SERVER_ERROR, "")).code] == "INTERNAL"
    told = status_of(problem(HTTPStatus.BAD_REQUEST, "why", [Fault("x", "bad"), Fault("y", "worse")], hint="Do."))
    details = STATUS["Status"].FromString(dict(told.metadata)["grpc-status-details-bin"])
    violations = STATUS["BadRequest"].FromString(details.details[0].value).field_violations
    assert (told.message, details.code, details.message) == (b"why. Do.", 3, "why. Do.")
    assert [(one.field, one.description) for one in violations] == [("x", "bad"), ("y", "worse")]


@pytest.mark.parametrize("method", ["inference.GRPCInferenceService/ServerReady", "grpc.health.v1.Health/Check"])
def test_not_ready_is_an_answer_and_no_error(method: str) -> None:
    from lockgate.serving.grpc.meanings import MEANINGS, METHODS, answer_of

    spoken, meaning = METHODS[f"/{method}"], MEANINGS[f"/{method}"]
    told = {}
    for ready, status in ((True, HTTPStatus.OK), (False, HTTPStatus.SERVICE_UNAVAILABLE)):
        found = answer_of(spoken, meaning, spoken.request(), answer({"ready": ready}, status))
        assert found.status == HTTPStatus.OK
        told[ready] = spoken.answer.FromString(found.body)
    assert told[True] != told[False]
    assert getattr(told[False], "ready", False) is False
    gone = problem(HTTPStatus.NOT_FOUND, "why")
    assert answer_of(spoken, meaning, spoken.request(), gone) is gone


def test_no_error_is_larger_than_clients_take() -> None:
    from lockgate.serving.grpc.statuses import status_of

    faults = [Fault("ü" * 5000, "€" * 5000) for _ in range(20)]
    found = status_of(problem(HTTPStatus.BAD_REQUEST, "€" * 9000, faults, headers=[("retry-after", "2")]))
    assert found.message.decode().endswith("€...")
    assert len(found.message) * 3 + sum(len(name) + 4 * len(value) / 3 for name, value in found.metadata) < 8000
    assert dict(found.metadata)["grpc-retry-pushback-ms"] == "2000"


@pytest.mark.parametrize(
    "text",
    [
        'syntax = "proto2";',
        "import public;",
        "message M { optional int32 x = 1; }",
        "service S { stream X; }",
        "message M { int32 x = 1",
        "message M { int32 x = 1; } $",
        "message M { Unknown x = 1; }",
    ],
)
def test_what_is_not_read_of_a_proto_file_is_not_passed_over(tmp_path: Path, text: str) -> None:
    from lockgate.serving.grpc.schema import Schema

    (tmp_path / "m.proto").write_text(text)
    with pytest.raises((ValueError, IndexError, TypeError, KeyError)):
        Schema(tmp_path / "m.proto")
