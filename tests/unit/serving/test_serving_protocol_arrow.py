"""Arrow streams: columns by name become the same arrays as tensors do, outputs become columns, and nothing is unpacked unseen."""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from lockgate.boundary.manifest import Tensor
from lockgate.embedded.datatypes import Array
from lockgate.kernel.errors import Fault
from lockgate.serving.protocol.answers import Encoder
from lockgate.serving.protocol.columns import Batch, Decoder
from lockgate.serving.protocol.problems import refusal
from lockgate.serving.protocol.requests import Unsupported
from tests.unit.serving.protocol_samples import ARROW, answered, decoded, faults_of, parsed, signature, tensor

if os.environ.get("CI") == "true":
    import pyarrow as pa
else:
    pa = pytest.importorskip("pyarrow")

HEADERS = {"content-type": ARROW}
OUTPUTS = (Tensor("label", "BYTES", (-1,)), Tensor("odds", "FP32", (-1, 2)), Tensor("map", "FP64", (-1, 1, 2)))
SIGNED = signature(
    Tensor("x", "FP32", (-1, 1)),
    Tensor("n", "INT64", (-1, 1)),
    Tensor("s", "BYTES", (-1, 1)),
    Tensor("b", "BOOL", (-1,)),
    Tensor("v", "FP64", (-1, -1)),
    outputs=OUTPUTS,
    score="odds",
)
DECODER, ENCODER = Decoder(SIGNED), Encoder(SIGNED)
ANSWER = [
    np.array(["late", "ontime"], object),
    np.array([[0.25, 0.75], [1.0, 0.0]], np.float32),
    np.array([[[1.0, 2.0]], [[3.0, 4.0]]]),
]
ROWS: dict[str, Any] = {
    "x": [1.5, -2.0],
    "n": [7, 2**62],
    "s": ["ä", ""],
    "b": [True, False],
    "v": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
}
FEEDS = {**{name: [[value] for value in ROWS[name]] for name in "xns"}, "b": ROWS["b"], "v": ROWS["v"]}


def stream(columns: Mapping[str, Any], batches: int = 1, **options: Any) -> bytes:
    table = pa.table(dict(columns))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in table.to_batches(max_chunksize=max(table.num_rows // batches, 1)):
            writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def faults(columns: Mapping[str, Any], **options: Any) -> list[Fault]:
    return list(faults_of(DECODER, stream(columns, **options), HEADERS))


def feeds(batch: Batch) -> dict[str, Any]:
    return {name: array.tolist() for name, array in batch.feeds.items()}


@pytest.mark.parametrize(
    "columns",
    [
        ROWS,
        {**ROWS, "s": pa.array(ROWS["s"]).dictionary_encode()},
        {**ROWS, "s": pa.array(ROWS["s"], pa.large_string()), "v": pa.array(ROWS["v"], pa.large_list(pa.float32()))},
        {**ROWS, "v": pa.array(ROWS["v"], pa.list_(pa.float64(), 3)), "n": pa.array(ROWS["n"], pa.uint64())},
        {**ROWS, "v": pa.FixedShapeTensorArray.from_numpy_ndarray(np.array(ROWS["v"])), "x": pa.array(ROWS["x"], pa.float32())},
        {**ROWS, "x": pa.array([np.float16(1.5), np.float16(-2.0)], pa.float16()), "n": pa.array([7.0, 2.0**62])},
        {"__index_level_0__": [5, 6], **ROWS},
    ],
)
@pytest.mark.parametrize("batches", [1, 2])
def test_columns_of_many_types_become_the_arrays_of_the_signature(columns: Mapping[str, Any], batches: int) -> None:
    batch = decoded(DECODER, stream(columns, batches), HEADERS)
    assert feeds(batch) == FEEDS
    dtypes = {name: array.dtype.name for name, array in batch.feeds.items()}
    assert dtypes == {"x": "float32", "n": "int64", "s": "object", "b": "bool", "v": "float64"}
    assert batch.values["x"] == ROWS["x"]
    assert batch.values["v"] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"x": [1.5, None]}, "x", "row 1: null found"),
        ({"x": [1.5, float("nan")]}, "x", "row 1: nan is not a finite FP32 number"),
        ({"x": [1.5, 1e39]}, "x", "row 1: 1e+39 is not a finite FP32 number"),
        ({"x": ["a", "b"]}, "x", "row 0: expected float, got str"),
        ({"x": [True, False]}, "x", "row 0: bool found, FP32 expected"),
        ({"n": [1.0, 1.5]}, "n", "row 1: expected int, got 1.5"),
        ({"n": pa.array([1, 2**64 - 1], pa.uint64())}, "n", "row 1: a value is out of the range of INT64"),
        ({"b": [1, 0]}, "b", "row 0: int64 found, BOOL expected"),
        ({"s": [1, 2]}, "s", "row 0: expected str, got int"),
        ({"s": pa.array([b"a", b"\xff"])}, "s", "row 1: these bytes are not UTF-8"),
        ({"v": [[1.0], [2.0, 3.0]]}, "v", "row 1: the nesting"),
        ({"v": [[1.0, None], [2.0, 3.0]]}, "v", "null found"),
        ({"b": [[True], [False]]}, "b", "row 0: expected bool, got array"),
        ({"x": pa.array(["1", "2"]).cast(pa.decimal128(5))}, "x", "Arrow type decimal128(5, 0) found"),
        ({"x": pa.array([1, 2], pa.timestamp("s"))}, "x", "Arrow type timestamp[s] found"),
        ({"s": pa.array(["a", "b"], pa.string_view())}, "s", "Arrow type string_view found"),
        ({"z": [1, 2]}, "z", "unknown input"),
        ({"x": pa.nulls(2)}, "x", "row 0: null found"),
        ({"x": pa.DictionaryArray.from_arrays([0, 0], pa.nulls(1))}, "x", "null found"),
        ({"v": pa.DictionaryArray.from_arrays([0, 0], pa.array([[1.0, 2.0]]))}, "v", "a dictionary of lists found"),
        ({"s": pa.DictionaryArray.from_arrays([0, 0], ["a" * (33 << 20)])}, "s", "stands for more than"),
    ],
)
def test_a_column_that_does_not_fit_is_named(change: dict[str, Any], field: str, message: str) -> None:
    found = faults({**ROWS, **change})
    assert [fault.path for fault in found] == [field]
    assert message in found[0].message


def test_a_type_that_the_library_reads_and_cannot_give_is_named() -> None:
    time, interval = b"\x09", b"\x0b"  # how the schema names a type; an interval has the same one field as a time
    batch = pa.record_batch({"x": pa.array([1, 2], pa.time32("s"))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    body = sink.getvalue().to_pybytes()
    assert body.count(time) == 1
    (fault, *_) = faults_of(DECODER, body.replace(time, interval), HEADERS)
    assert fault.path == "x"
    assert "Arrow type month_interval found" in fault.message


def test_missing_and_doubled_columns_are_named() -> None:
    (fault,) = faults({name: values for name, values in ROWS.items() if name != "n"})
    assert (fault.path, fault.message) == ("n", "this input is missing")
    doubled = pa.table([pa.array([1.0]), pa.array([2.0])], names=["x", "x"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, doubled.schema) as writer:
        writer.write_table(doubled)
    (fault,) = faults_of(DECODER, sink.getvalue().to_pybytes(), HEADERS)
    assert (fault.path, fault.message) == ("x", "this column is given twice")
    empty = {name: pa.array(values).slice(0, 0) for name, values in ROWS.items()}
    assert [fault.message for fault in faults(empty)] == ["expected at least one row, found none"]


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_compressed_buffers_are_refused_before_they_are_unpacked(codec: str) -> None:
    plain = {"x": np.zeros(1 << 16), "s": pa.array(["a" * 1000] * (1 << 16)).dictionary_encode()}
    (fault,) = faults(plain, compression=codec)
    assert "compressed" in fault.message


@pytest.mark.parametrize("body", [b"", b"abc", b"\xff" * 40, b"{}", stream(ROWS)[:200], stream(ROWS)[:-60], stream(ROWS)[8:]])
def test_what_is_no_whole_stream_is_refused(body: bytes) -> None:
    (fault,) = faults_of(DECODER, body, HEADERS)
    assert "no whole Arrow stream" in fault.message


def test_an_answer_is_a_stream_with_outputs_and_ids_as_columns() -> None:
    told = answered(ENCODER, parsed(stream(ROWS), HEADERS), ANSWER, 2)
    assert told.headers == {"content-type": ARROW}
    table = pa.ipc.open_stream(told.behind).read_all()
    assert table.column_names == ["label", "odds", "map", "prediction_id"]
    assert table["label"].to_pylist() == ["late", "ontime"]
    assert table["odds"].to_pylist() == [[0.25, 0.75], [1.0, 0.0]]
    assert table["map"].chunk(0).to_numpy_ndarray().tolist() == ANSWER[2].tolist()
    assert table["prediction_id"].to_pylist() == ["id-0", "id-1"]
    assert table.schema.metadata == {b"model_name": b"m", b"model_version": b"3", b"id": b"7"}


def test_an_output_may_be_called_like_the_ids() -> None:
    named = (Tensor("prediction_id", "FP32", (-1,)),)
    encoder = Encoder(signature(*SIGNED.inputs, outputs=named, score="prediction_id"))
    told = answered(encoder, parsed(stream(ROWS), HEADERS), [np.array([1.0, 2.0], np.float32)], 2)
    table = pa.ipc.open_stream(told.behind).read_all()
    assert table.to_pydict() == {"prediction_id": [1.0, 2.0], "_prediction_id": ["id-0", "id-1"]}


def test_what_was_answered_can_be_asked() -> None:
    tensors = (
        Tensor("x", "FP32", (-1, 1)),
        Tensor("v", "INT8", (-1, 2, 2)),
        Tensor("s", "BYTES", (-1,)),
        Tensor("h", "FP16", (-1, 3)),
    )
    decoder, encoder = Decoder(signature(*tensors)), Encoder(signature(*tensors, outputs=tensors, score="x"))
    arrays: list[Array] = [
        np.array([[1.5], [2.5]], np.float32),
        np.arange(8, dtype=np.int8).reshape(2, 2, 2),
        np.array(["a", "ä"], object),
        np.arange(6, dtype=np.float16).reshape(2, 3),
    ]
    told = answered(encoder, parsed(stream(ROWS), HEADERS), arrays, 2)
    table = pa.ipc.open_stream(told.behind).read_all().drop_columns(["prediction_id"])
    batch = decoded(decoder, stream(dict(zip(table.column_names, table.columns, strict=True))), HEADERS)
    for one, array in zip(tensors, arrays, strict=True):
        assert batch.feeds[one.name].tolist() == array.tolist()
        assert batch.feeds[one.name].dtype == array.dtype


ONE = {"inputs": [tensor("x", "FP32", [1, 1], [1.5])]}


@pytest.mark.parametrize(
    ("accept", "is_arrow"),
    [
        (ARROW, True),
        (f"{ARROW};q=0.9, application/json;q=0.8", True),
        (f"application/json, {ARROW};q=0.5", False),
        (f"{ARROW};q=0, */*", False),
        (f"{ARROW};q=x", False),
        ("text/html", False),
        ("*/*", False),
    ],
)
def test_accept_chooses_between_arrow_and_json(accept: str, is_arrow: bool) -> None:  # noqa: FBT001 - drawn
    kind = answered(ENCODER, parsed({**ONE, "outputs": [{"name": "odds"}]}, {"accept": accept}), ANSWER, 2)
    assert kind.headers["content-type"] == (ARROW if is_arrow else "application/json")
    if is_arrow:
        assert pa.ipc.open_stream(kind.behind).schema.names == ["odds", "prediction_id"]


def test_who_sends_arrow_may_have_json() -> None:
    told = answered(ENCODER, parsed(stream(ROWS), {**HEADERS, "accept": "application/json"}), ANSWER, 2)
    assert told.json["predictions"] == [0.5, 0.5]


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pyarrow":
            raise ImportError(name)
        return real(name, *rest)

    body = stream(ROWS)
    monkeypatch.setattr(builtins, "__import__", without)
    for content, headers, status in ((body, HEADERS, 415), (ONE, {"accept": ARROW}, 406)):
        with pytest.raises(Unsupported) as caught:
            parsed(content, headers)
        answer = refusal(caught.value)
        assert answer.status == status
        assert b"lockgate[arrow]" in answer.body
