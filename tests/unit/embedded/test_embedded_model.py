"""A model in somebody else's program: whatever rows it is given, it answers as it should or says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from onnx import TensorProto, helper

from lockgate.boundary.manifest import File, Golden, Signature, Tensor
from lockgate.embedded.model import Model
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Corrupt, Invalid, InvalidInput, LockgateError, NotFound
from tests.unit.embedded import packaged

ROWS: list[dict[str, Any]] = [
    {"text": "a", "whole": 3, "flag": True, "number": 0.25},
    {"text": "ü", "whole": -1, "flag": False, "number": 1e3},
]
WIDE_ROWS = [{**row, "three": [1.0, 2.0, float(index)]} for index, row in enumerate(ROWS)]
FRAME = pd.DataFrame(ROWS)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model.open(packaged.laid(tmp_path, packaged.contents(tmp_path)))


@pytest.fixture
def wide(tmp_path: Path) -> Model:
    return Model.open(packaged.laid(tmp_path, packaged.contents(tmp_path, packaged.WIDE)))


def test_one_row_has_one_score(model: Model) -> None:
    score = model.predict(ROWS[0])
    assert type(score) is float
    assert score == packaged.scores(ROWS)[0]


def test_a_row_of_numpys_scalars_is_the_same_row(model: Model) -> None:
    row = {"text": np.str_("a"), "whole": np.int32(3), "flag": np.bool_(True), "number": np.float64(0.25)}  # noqa: FBT003
    assert model.predict(row) == model.predict(ROWS[0])


SAME: dict[str, Callable[[], Any]] = {
    "rows": lambda: ROWS,
    "rows in a tuple, with keys in another order": lambda: tuple(dict(reversed(row.items())) for row in ROWS),
    "columns as lists": lambda: {name: [row[name] for row in ROWS] for name in ROWS[0]},
    "columns as arrays": lambda: {name: FRAME[name].to_numpy() for name in FRAME},
    "columns as series": lambda: dict(FRAME),
    "columns of two axes": lambda: {name: FRAME[[name]].to_numpy() for name in FRAME},
    "a data frame": lambda: FRAME,
    "a data frame in another order, with an index": lambda: FRAME[["number", "text", "flag", "whole"]].set_axis([7, 3]),
    "a data frame with categories and small numbers": lambda: FRAME.astype(
        {"text": "category", "whole": "int16", "number": "float32"}
    ),
    "a data frame of pandas's own types": FRAME.convert_dtypes,
    "an Arrow table": lambda: pa.Table.from_pandas(FRAME),
    "an Arrow table in pieces": lambda: pa.concat_tables([pa.Table.from_pandas(FRAME.iloc[[i]]) for i in (0, 1)]),
    "a record batch": lambda: pa.RecordBatch.from_pandas(FRAME),
    "an Arrow table with a dictionary": lambda: pa.table(
        {**{n: FRAME[n] for n in ("whole", "flag", "number")}, "text": pa.array(["a", "ü"]).dictionary_encode()}
    ),
    "an array of objects": FRAME.to_numpy,
    "a structured array": lambda: np.array(
        [tuple(row.values()) for row in ROWS], [("text", "U2"), ("whole", "i4"), ("flag", "?"), ("number", "f8")]
    ),
    "a record array": lambda: FRAME.to_records(index=False),
    "texts as bytes": lambda: {**{n: FRAME[n] for n in ("whole", "flag", "number")}, "text": [b"a", "ü".encode()]},
}


@pytest.mark.parametrize("form", SAME)
def test_many_rows_have_a_score_each_in_whatever_form_they_come(model: Model, form: str) -> None:
    scores = model.predict(SAME[form]())
    assert isinstance(scores, np.ndarray)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(scores, packaged.scores(ROWS))


def test_an_array_of_numbers_is_columns_in_the_order_of_the_signature(tmp_path: Path) -> None:
    """Several values a row lie side by side."""
    content = packaged.contents(tmp_path, packaged.WIDE)
    model = Model.open(packaged.laid(tmp_path, content))
    array = np.array([["a", 3, True, 0.25, 1.0, 2.0, 0.0], ["ü", -1, False, 1e3, 1.0, 2.0, 1.0]], dtype=object)
    np.testing.assert_array_equal(model.predict(array), packaged.scores(WIDE_ROWS))


@pytest.mark.parametrize(
    "given",
    [
        WIDE_ROWS,
        {name: [row[name] for row in WIDE_ROWS] for name in WIDE_ROWS[0]},
        {**dict(FRAME), "three": np.array([row["three"] for row in WIDE_ROWS])},
        pd.DataFrame(WIDE_ROWS),
        pa.Table.from_pylist(WIDE_ROWS),
        [{**row, "three": tuple(row["three"])} for row in WIDE_ROWS],
        [{**row, "three": np.array(row["three"])} for row in WIDE_ROWS],
    ],
)
def test_several_values_a_row_are_a_list_or_an_array(wide: Model, given: Any) -> None:
    np.testing.assert_array_equal(wide.predict(given), packaged.scores(WIDE_ROWS))


def test_one_row_with_a_list_in_it_is_one_row(wide: Model) -> None:
    assert wide.predict(WIDE_ROWS[1]) == packaged.scores(WIDE_ROWS)[1]


def test_all_outputs_come_by_name_rows_first(model: Model) -> None:
    outputs = model.outputs(ROWS)
    assert outputs["echo"].tolist() == [["a"], ["ü"]]
    assert outputs["sums"].tolist() == [[0.0, score] for score in packaged.scores(ROWS)]
    assert model.outputs(ROWS[0])["echo"].tolist() == [["a"]]


# What is refused

BAD: dict[str, tuple[Any, str]] = {
    "a missing input": ({"text": "a", "whole": 1, "flag": True}, "number: this input is missing"),
    "an unknown input": ({**ROWS[0], "wind": 1}, "wind: unknown input; expected text, whole, flag, number"),
    "a fraction for a whole number": ({**ROWS[0], "whole": 1.5}, "whole: row 0: expected int, got 1.5"),
    "a number for a text": ({**ROWS[0], "text": 7}, "text: row 0: expected str, got int"),
    "a text for a number": ([ROWS[0], {**ROWS[1], "number": "7"}], "number: row 1: expected float, got str"),
    "a truth for a number": ({**ROWS[0], "number": True}, "number: row 0: expected float, got bool"),
    "no number": ({**ROWS[0], "number": float("nan")}, "number: row 0: nan is not a finite FP32 number"),
    "more than 32 bits hold": ({**ROWS[0], "number": 1e39}, r"1e\+39 is not a finite FP32 number"),
    "more than 64 bits hold": ({**ROWS[0], "whole": 2**63}, "out of the range of INT64"),
    "nothing for a value": ({**ROWS[0], "text": None}, "text: row 0: expected str, got null"),
    "bytes that are no text": ({**ROWS[0], "text": b"\xff"}, "text: row 0: these bytes are not UTF-8"),
    "no rows": ([], "expected at least one row"),
    "no rows in a data frame": (FRAME[:0], "expected at least one row|has no rows"),
    "rows that are no dicts": ([[1, 2, 3, 4]], r"\[0\]: list found, a dict"),
    "an unknown input in one row": ([ROWS[0], {**ROWS[1], "x": 1}], r"\[1\].x: unknown input"),
    "columns of different lengths": (
        {**{n: [1] for n in ("whole", "number")}, "text": ["a", "b"], "flag": [True]},
        "1 rows, 2 expected",
    ),
    "a column that is a value": (
        {"text": ["a"], "whole": 1, "flag": [True], "number": [1.0]},
        "whole: expected a list or an array",
    ),
    "too narrow an array": (np.zeros((2, 3)), r"shape \[2, 3\] found, \[rows, 4\] expected: text, whole, flag, number"),
    "numbers where texts belong": (np.zeros((2, 4)), "text: row 0: expected str, got float"),
    "a missing value in a data frame": (FRAME.assign(number=pd.Series([1.0, None])), "number: row 1: nan"),
    "a missing text in a data frame": (FRAME.assign(text=pd.Series(["a", None])), "text: row 1: expected str"),
    "a null in an Arrow table": (pa.Table.from_pylist([ROWS[0], {**ROWS[1], "whole": None}]), "whole: row 1: null found"),
    "times": (FRAME.assign(whole=pd.to_datetime(["2013-01-01"] * 2)), r"whole: datetime64\[.*\] found"),
    "times in an Arrow table": (
        pa.Table.from_pandas(FRAME.assign(whole=pd.to_datetime(["2013-01-01"] * 2))),
        "whole: datetime64",
    ),
    "a time as a scalar": ({**ROWS[0], "whole": np.datetime64("2013-01-01")}, "whole: datetime64"),
    "a column twice": (pd.concat([FRAME, FRAME[["text"]]], axis=1), "text: this column is given twice"),
    "nothing that holds rows": (7, "int found, a dict, a list of dicts"),
    "a text": ("rows", "str found, a dict, a list of dicts"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused_and_named(model: Model, what: str) -> None:
    given, message = BAD[what]
    with pytest.raises(InvalidInput, match=message):
        model.predict(given)


def test_all_faults_are_told_at_once(model: Model) -> None:
    with pytest.raises(InvalidInput) as caught:
        model.predict({"text": 1, "whole": "x", "flag": 0, "number": None})
    assert [fault.path for fault in caught.value.faults] == ["text", "whole", "flag", "number"]


@pytest.mark.parametrize("form", [lambda row: row, lambda row: [WIDE_ROWS[0], row]])
def test_an_answer_that_is_no_finite_number_is_no_score(wide: Model, form: Callable[[Any], Any]) -> None:
    with pytest.raises(Invalid, match="a score is inf, which is not a finite FP32 number"):
        wide.predict(form({**WIDE_ROWS[0], "number": 3e38, "three": [3e38, 3e38, 3e38]}))


# What it was packaged with


def test_the_golden_rows_are_answered_and_one_of_them_is_an_example(model: Model, wide: Model) -> None:
    for one in (model, wide):
        assert one.check() == 0.0
        assert one.predict(one.example) == one.golden()[0]
    assert model.example == {"text": "a", "whole": 1, "flag": True, "number": 0.5}


def test_a_model_that_answers_otherwise_than_the_original_says_by_how_much(tmp_path: Path) -> None:
    golden = packaged.golden()
    altered = type(golden)(golden.inputs, [2.5, 0.25], golden.tolerance)
    model = Model.open(packaged.laid(tmp_path, packaged.contents(tmp_path, golden=altered)))
    with pytest.raises(Invalid, match=r"golden rows differ by up to 0.25, 1e-06 is allowed"):
        model.check()


def test_it_says_what_it_is(tmp_path: Path) -> None:
    content = packaged.contents(tmp_path)
    model = Model.open(packaged.laid(tmp_path, content))
    assert (model.name, model.version, model.digest) == ("sum-model", 3, content.release.digest)
    assert [tensor.name for tensor in model.signature.inputs] == ["text", "whole", "flag", "number"]


@pytest.mark.parametrize("name", ["files/model.onnx", "manifest.json", "release.json"])
def test_a_package_of_which_one_bit_was_altered_is_not_opened(tmp_path: Path, name: str) -> None:
    folder = packaged.laid(tmp_path, packaged.contents(tmp_path))
    content = (folder / name).read_bytes()
    at = content.index(b"sha256:") + 10 if name == "release.json" else len(content) // 2
    (folder / name).write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    with pytest.raises(Corrupt):
        Model.open(folder)


@pytest.mark.parametrize("name", ["files/model.onnx", "manifest.json", "release.json"])
def test_a_package_without_one_of_its_files_is_not_opened(tmp_path: Path, name: str) -> None:
    folder = packaged.laid(tmp_path, packaged.contents(tmp_path))
    (folder / name).unlink()
    with pytest.raises(NotFound, match=Path(name).name):
        Model.open(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"digest": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_package_is_not_opened(tmp_path: Path, content: bytes) -> None:
    folder = packaged.laid(tmp_path, packaged.contents(tmp_path))
    (folder / "release.json").write_bytes(content)
    with pytest.raises(Corrupt):
        Model.open(folder)


def test_a_package_of_another_runtime_needs_what_loads_it(tmp_path: Path) -> None:
    folder = packaged.laid(tmp_path, packaged.contents(tmp_path, runtime="torch"))
    with pytest.raises(LockgateError, match="runs by 'torch'"):
        Model.open(folder)


# Weights in a file of their own


def with_weights(folder: Path) -> Path:
    """A package whose score is the sum of its input, of eight numbers a row, and of weights that lie in another file."""
    value, kind = helper.make_tensor_value_info, TensorProto.FLOAT
    weights = helper.make_tensor("w", kind, [8], np.zeros(8, np.float32))
    weights.ClearField("float_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="weights.bin")
    weights.external_data.add(key="length", value="32")
    nodes = [helper.make_node("Add", ["x", "w"], ["y"]), helper.make_node("ReduceSum", ["y", "axis"], ["sum"])]
    ends = [value("x", kind, [None, 8])], [value("sum", kind, [None, 1])]
    graph = helper.make_graph(nodes, "sum", *ends, [weights, helper.make_tensor("axis", TensorProto.INT64, [1], [1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    contents = {"model.onnx": model, "weights.bin": np.arange(8, dtype=np.float32).tobytes()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    files = tuple(File(name, digest_bytes(content), len(content)) for name, content in contents.items())
    signature = Signature((Tensor("x", "FP32", (-1, 8)),), (Tensor("sum", "FP32", (-1, 1)),), "sum")
    one = packaged.contents(folder, files=files, signature=signature, golden=Golden({"x": [1.0] * 8}, [36.0], 1e-6))
    (folder / "model.onnx").write_bytes(model)
    return packaged.laid(folder, replace(one, files={name: folder / name for name in contents}))


def test_weights_beside_the_model_are_read_and_verified(tmp_path: Path) -> None:
    folder = with_weights(tmp_path)
    assert Model.open(folder).check() == 0.0
    (folder / "files" / "weights.bin").write_bytes(np.ones(8, dtype=np.float32).tobytes())
    with pytest.raises(Corrupt, match=r"weights\.bin: expected sha256:"):
        Model.open(folder)


def test_rows_of_a_model_with_one_input_are_an_array(tmp_path: Path) -> None:
    model = Model.open(with_weights(tmp_path))
    rows = np.arange(16.0).reshape(2, 8)
    np.testing.assert_array_equal(model.predict(rows), rows.sum(axis=1) + 28.0)
    np.testing.assert_array_equal(model.predict(np.asfortranarray(rows, np.float32)[::-1]), rows.sum(axis=1)[::-1] + 28.0)
    assert model.predict({"x": rows[0]}) == 56.0
    with pytest.raises(InvalidInput, match=r"shape \[2, 4\] found"):
        model.predict(rows[:, ::2])
