"""MLflow's scoring protocol and CSV: the forms that its clients send mean the same rows, and are answered as its server would."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest

from lockgate.boundary.manifest import Tensor
from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.serving.protocol import scoring
from lockgate.serving.protocol.answers import Encoder
from lockgate.serving.protocol.columns import Decoder
from lockgate.serving.protocol.parsing import parse_scoring
from lockgate.serving.protocol.problems import refusal
from lockgate.serving.protocol.requests import InferenceRequest
from tests.unit.serving.protocol_samples import answered, parsed, signature

TENSORS = Tensor("x", "FP32", (-1, 1)), Tensor("n", "INT64", (-1, 1)), Tensor("s", "BYTES", (-1,))
DECODER = Decoder(signature(*TENSORS))
VECTOR = Decoder(signature(Tensor("v", "FP64", (-1, 3))))
ONE = Encoder(signature(*TENSORS))
SEVERAL = Encoder(signature(*TENSORS, outputs=(Tensor("label", "BYTES", (-1,)), Tensor("odds", "FP32", (-1, 2))), score="odds"))
RECORDS = [{"x": 1.5, "n": 1, "s": "a"}, {"x": 2, "n": 2.0, "s": "b"}]
NAMES = ["x", "n", "s"]
DATA = [[1.5, 1, "a"], [2, 2.0, "b"]]
FEEDS = {"x": [[1.5], [2.0]], "n": [[1], [2]], "s": ["a", "b"]}


def scored(content: object, kind: str | None = "application/json", **headers: str) -> InferenceRequest:
    told = headers if kind is None else {**headers, "content-type": kind}
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    def header(name: str) -> str | None:
        return told.get(name)

    return parse_scoring(body, header)


def faults(content: object, kind: str = "application/json", decoder: Decoder = DECODER) -> list[Fault]:
    try:
        decoder.decode(scored(content, kind))
    except InvalidInput as error:
        return list(error.faults)
    return []


FORMS: Mapping[str, object] = {
    "split": {"dataframe_split": {"columns": NAMES, "index": [5, 9], "data": DATA}},
    "split in another order": {"dataframe_split": {"columns": ["s", "x", "n"], "data": [["a", 1.5, 1], ["b", 2, 2.0]]}},
    "split without names": {"dataframe_split": {"data": DATA}},
    "split with numbers for names": {"dataframe_split": {"columns": [0, 1, 2], "data": DATA}},
    "records": {"dataframe_records": RECORDS},
    "instances": {"instances": RECORDS},
    "instances without names": {"instances": DATA, "params": None},
    "inputs by name": {"inputs": {"x": [1.5, 2], "n": [1, 2.0], "s": ["a", "b"]}},
    "inputs by name, nested": {"inputs": {"x": [[1.5], [2]], "n": [[1], [2.0]], "s": ["a", "b"]}},
    "inputs as rows": {"inputs": RECORDS},
    "inputs without names": {"inputs": DATA, "params": {}},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_json_form_means_the_same_rows(form: str) -> None:
    batch = DECODER.decode(scored(FORMS[form]))
    assert {name: array.tolist() for name, array in batch.feeds.items()} == FEEDS
    assert batch.feeds["n"].dtype == np.int64


@pytest.mark.parametrize("form", ["inputs", "instances"])
def test_a_model_with_one_input_takes_rows_of_its_values(form: str) -> None:
    batch = VECTOR.decode(scored({form: [[1, 2, 3], [4, 5, 6]]}))
    assert batch.feeds["v"].tolist() == [[1, 2, 3], [4, 5, 6]]
    alone = Decoder(signature(Tensor("v", "FP64", (-1, 1)))).decode(scored({form: [1, 2]}))
    assert alone.feeds["v"].tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("content", "field", "message"),
    [
        ({}, "", "expected exactly one of dataframe_split"),
        ({"dataframe_records": RECORDS, "instances": RECORDS}, "", "expected exactly one of"),
        ([1, 2], "", "Expected `object`, got `array`"),
        ({"dataframe_split": {"columns": NAMES, "data": [[1.5, 1]]}}, "dataframe_split.data[0]", "2 cells found, 3 expected"),
        ({"dataframe_split": {"columns": ["x", "x", "s"], "data": DATA}}, "dataframe_split.columns", "named twice"),
        ({"dataframe_split": {"columns": NAMES}}, "dataframe_split", "missing required field `data`"),
        ({"dataframe_split": {"columns": NAMES, "data": []}}, "", "at least one row"),
        ({"dataframe_records": []}, "", "at least one row"),
        ({"dataframe_records": [{"x": 1.5}]}, "instances[0].n", "this input is missing"),
        ({"instances": [[1.5, 1]]}, "[0]", "expected a list of 3 values"),
        ({"instances": [1.5]}, "[0]", "expected a list of 3 values"),
        ({"instances": [{"x": 1}, 2]}, "[0]", "expected a list of 3 values"),
        ({"inputs": {}}, "inputs", "at least one input"),
        ({"inputs": {"x": 1.5, "n": [1], "s": ["a"]}}, "inputs.x", "expected a list"),
        ({"inputs": {"x": [1.5], "n": [], "s": ["a"]}}, "n", "has no rows"),
        ({"inputs": {"x": [1.5], "n": [1, 2], "s": ["a"]}}, "n", "has 2 rows, 1 expected"),
        ({"inputs": {"x": [None], "n": [1], "s": ["a"]}}, "x", "row 0: expected float, got null"),
        ({"inputs": RECORDS, "params": {"depth": 3}}, "params", "nothing beside them"),
        (b'{"inputs": {"x": [NaN], "n": [1], "s": ["a"]}}', "x", "row 0: nan is not a finite FP32 number"),
        (b"{", "", "this is not JSON"),
        (b"", "", "an empty body"),
        (b'{"inputs": ' + b"[" * 100_000, "", "nested too deeply"),
    ],
)
def test_what_does_not_fit_is_named(content: object, field: str, message: str) -> None:
    found = faults(content)
    assert found[0].path == field
    assert message in found[0].message


def test_the_answer_is_the_values_of_the_only_output() -> None:
    told = answered(ONE, scored(FORMS["split"]), [np.array([[0.25], [0.5]], np.float32)], 2)
    assert told.headers == {"content-type": "application/json"}
    assert told.json["predictions"] == [0.25, 0.5]
    assert told.json["parameters"]["prediction_ids"] == ["id-0", "id-1"]


def test_several_outputs_come_as_records() -> None:
    outputs = [np.array(["late", b"ontime"], object), np.array([[0.25, 0.75], [1.0, 0.0]], np.float32)]
    predictions = answered(SEVERAL, scored(FORMS["records"]), outputs, 2).json["predictions"]
    assert predictions == [{"label": "late", "odds": [0.25, 0.75]}, {"label": "ontime", "odds": [1.0, 0.0]}]


CSV = b"x,n,s\n1.5,1,a\n2,2.0,b\n"


@pytest.mark.parametrize(
    "body",
    [
        CSV,
        CSV.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + CSV,
        CSV + b"\n\n",
        CSV.replace(b"a", b'"a"'),
        b"n,s,x\n1,a,1.5\n 2 ,b, 2e0\n",
        b",x,n,s\n0,1.5,1,a\n1,2,2.0,b\n",
    ],
)
@pytest.mark.parametrize("kind", ["text/csv", "text/csv; charset=utf-8", "Text/CSV;charset=UTF-8"])
def test_csv_means_the_same_rows(body: bytes, kind: str) -> None:
    batch = DECODER.decode(scored(body, kind))
    assert {name: array.tolist() for name, array in batch.feeds.items()} == FEEDS
    assert batch.values == {"x": [1.5, 2.0], "n": [1, 2], "s": ["a", "b"]}


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b"", "", "a line of column names"),
        (b"x,n,s\n", "", "at least one row"),
        (b"x,n,s\n1.5,1\n", "row 0", "2 cells found, 3 expected"),
        (b"x,x,s\n1.5,1,a\n", "x", "named twice"),
        (b"x,s\n1.5,a\n", "n", "this input is missing"),
        (b"x,n,s\n1.5,,a\n", "n", "row 0: nothing found, INT64 expected"),
        (b"x,n,s\n1.5,1.5,a\n", "n", "row 0: expected int, got 1.5"),
        (b"x,n,s\n1.5,1e400,a\n", "n", "row 0: expected int, got inf"),
        (b"x,n,s\nnan,1,a\n", "x", "row 0: nan is not a finite FP32 number"),
        (b"x,n,s\n1e39,1,a\n", "x", "row 0: 1e+39 is not a finite FP32 number"),
        (b"x,n,s\nabc,1,a\n", "x", "row 0: 'abc' found, FP32 expected"),
        (b"x,n,s\n1.5,99999999999999999999,a\n", "n", "out of the range of INT64"),
        (b"x,n,s\n1.5,1,\xff\n", "", "this is not UTF-8: byte 12"),
        (b'x,n,s\n1.5,1,"a\n', "line 2", "unexpected end of data"),
        (b"x,n,s\n1.5,1," + b"a" * 200_000, "line 2", "field larger"),
    ],
)
def test_csv_that_does_not_fit_is_named(body: bytes, field: str, message: str) -> None:
    found = faults(body, "text/csv")
    assert found[0].path == field
    assert message in found[0].message


def test_a_cell_of_csv_holds_one_value() -> None:
    assert "a cell of text holds one value" in faults(b"v\n1\n", "text/csv", VECTOR)[0].message
    flags = Decoder(signature(Tensor("b", "BOOL", (-1, 1)))).decode(scored(b"b\nTrue\nfalse\n1\n0\n", "text/csv"))
    assert flags.feeds["b"].tolist() == [[True], [False], [True], [False]]


def test_csv_is_answered_with_scores_where_rows_are() -> None:
    told = answered(ONE, parsed(CSV, {"content-type": "text/csv"}), [np.array([[0.25], [0.5]])], 2)
    assert told.json["predictions"] == [0.5, 0.5]
    assert answered(ONE, scored(CSV, "text/csv"), [np.array([[0.25], [0.5]])], 2).json["predictions"] == [0.25, 0.5]


@pytest.mark.parametrize(
    "kind", ["application/vnd.apache.parquet", "application/json; charset=latin-1", "text/csv;charset=utf-16", "x"]
)
def test_what_is_not_spoken_is_415_and_says_what_is(kind: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        scored(b"{}", kind)
    answer = refusal(caught.value)
    assert answer.status == 415
    assert "text/csv" in json.loads(answer.body)["errors"][0]["detail"]


def test_json_is_what_is_meant_without_a_content_type() -> None:
    assert DECODER.decode(scored(FORMS["split"], None)).rows == 2


@pytest.mark.parametrize(
    ("query", "headers", "models", "name"),
    [
        ("", {}, ["delays"], "delays"),
        ("model=delays", {}, ["delays", "others"], "delays"),
        ("a=b&model=my%20model", {}, [], "my model"),
        ("", {"x-lockgate-model": "others"}, ["delays", "others"], "others"),
        ("model=delays", {"x-lockgate-model": "others"}, [], "delays"),
    ],
)
def test_the_model_is_named_or_the_only_one(query: str, headers: dict[str, str], models: list[str], name: str) -> None:
    assert scoring.model_asked_for(query, lambda header: headers.get(header), models) == name  # noqa: PLW0108 - dict.get has overloads


@pytest.mark.parametrize(
    ("query", "models"), [("", []), ("", ["a", "b"]), ("model=", ["a", "b"]), ("&".join(["a=b"] * 99), ["a"])]
)
def test_a_model_that_is_not_clear_is_asked_for(query: str, models: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        scoring.model_asked_for(query, lambda _: None, models)
    assert refusal(caught.value).status == 400


def test_health_and_version_are_answered_as_clients_expect() -> None:
    assert scoring.ping(ready=True)[0::2] == (200, b"\n")
    assert scoring.ping(ready=False).status == 503
    assert scoring.version("1.2").body == b"1.2"
