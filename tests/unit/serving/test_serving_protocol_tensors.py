"""Tensors of any rank, rows with lists in them, and the record that is kept of both."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.boundary.manifest import Tensor
from lockgate.serving.protocol.columns import Decoder
from lockgate.serving.protocol.requests import values_of
from tests.unit.serving.protocol_samples import decoded, faults_of, parsed, signature, tensor

FREE = Decoder(signature(Tensor("v", "INT64", (-1, -1, 2)), Tensor("t", "BYTES", (-1, -1)), Tensor("n", "FP32", (-1,))))
FLAT = {"v": list(range(8)), "t": ["a", "b", "c", "d"], "n": [1.0, 2.0]}
NESTED: dict[str, Any] = {"v": [[[0, 1], [2, 3]], [[4, 5], [6, 7]]], "t": [["a", "b"], ["c", "d"]], "n": [1.0, 2.0]}
SHAPES = {"v": [2, 2, 2], "t": [2, 2], "n": [2]}
TYPES = {"v": "INT64", "t": "BYTES", "n": "FP32"}


def request(data: dict[str, Any] | None = None, **shapes: list[int]) -> dict[str, Any]:
    return {"inputs": [tensor(name, TYPES[name], shapes.get(name, SHAPES[name]), (data or FLAT)[name]) for name in TYPES]}


def test_free_lengths_take_what_comes_flat_nested_or_in_rows() -> None:
    rows = {"instances": [{name: NESTED[name][row] for name in TYPES} for row in range(2)]}
    for content in (request(), request(NESTED), rows):
        batch = decoded(FREE, content)
        assert {name: array.tolist() for name, array in batch.feeds.items()} == NESTED
        assert batch.values == FLAT
        assert batch.rows == 2
    by_golden_rows = FREE.decode_columns(NESTED)
    assert {name: array.tolist() for name, array in by_golden_rows.feeds.items()} == NESTED


def test_golden_rows_may_be_flat_where_their_width_is_fixed() -> None:
    decoder = Decoder(signature(Tensor("v", "FP64", (-1, 3)), Tensor("n", "INT8", (-1, 1))))
    for values in ({"v": [1, 2, 3, 4, 5, 6], "n": [1, 2]}, {"v": [[1, 2, 3], [4, 5, 6]], "n": [[1], [2]]}):
        batch = decoder.decode_columns(values)
        assert batch.feeds["v"].tolist() == [[1, 2, 3], [4, 5, 6]]
        assert batch.feeds["n"].tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("name", "shape", "data", "message"),
    [
        ("v", [2, 4], list(range(8)), "shape [2, 4] found, [rows, any, 2] expected"),
        ("v", [2, 2, 2, 1], list(range(8)), "[rows, any, 2] expected"),
        ("v", [2, 4, 1], list(range(8)), "[rows, any, 2] expected"),
        ("v", [2, 0, 2], [], "[rows, any, 2] expected"),
        ("v", [2, -2, 2], list(range(8)), "[rows, any, 2] expected"),
        ("v", [2, 2**62, 2], list(range(8)), "its data has 8"),
        ("v", [2, 2, 2], NESTED["v"][:1], "the nesting of its data does not fit"),
        ("v", [2, 2, 2], [[[0, 1], [2, 3]], [[4, 5], [6]]], "row 1: the nesting"),
        ("v", [2, 2, 2], [[[0, 1], [2, 3]], [[4, 5], 6]], "row 1: the nesting"),
        ("v", [2, 2, 2], [[[0, 1], [2, 3]], [[4, 5], [6, None]]], "row 1: expected int, got null"),
        ("t", [2, 2], ["a", "b", "c"], "holds 4 values, its data has 3"),
        ("n", [], [1.0, 2.0], "has no rows, the first input has 2"),
        ("n", [2, 1], [1.0, 2.0], "shape [2, 1] found, [rows] expected"),
    ],
)
def test_a_shape_that_does_not_fit_is_named(name: str, shape: list[int], data: Any, message: str) -> None:
    content = request({**FLAT, name: data}, **{name: shape})
    faults = [fault for fault in faults_of(FREE, content) if fault.path == name]
    assert len(faults) == 1
    assert message in faults[0].message


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("n", {"shape": [1]}),
        ("n", {"shape": [1, 2]}),
        ("n", {"shape": [2, 1]}),
        ("n", {"shape": [-1, -1]}),
        ("n", {"shape": [1, 1, 1]}),
        ("n", {"datatype": "FP64"}),
        ("n", {"datatype": "fp32"}),
        ("n", {"data": []}),
        ("n", {"data": [1.0, 2.0]}),
        ("n", {"data": ["1.0"]}),
        ("t", {"data": [1.0]}),
        ("t", {"datatype": "FP32"}),
    ],
)
def test_the_quick_way_for_one_row_lets_nothing_pass(name: str, change: dict[str, Any]) -> None:
    decoder = Decoder(signature(Tensor("n", "FP32", (-1, 1)), Tensor("t", "BYTES", (-1, 1))))
    sound = {"n": tensor("n", "FP32", [1, 1], [1.0]), "t": tensor("t", "BYTES", [1, 1], ["a"])}
    assert not faults_of(decoder, {"inputs": list(sound.values())})
    sound[name] |= change
    assert name in {fault.path for fault in faults_of(decoder, {"inputs": list(sound.values())})}


@pytest.mark.parametrize("cells", [[[1], [2, 3]], [1, [2]], [[1], 2], [[], [1]], [{}, [1]]])
def test_rows_of_different_lengths_are_refused(cells: list[Any]) -> None:
    decoder = Decoder(signature(Tensor("v", "INT64", (-1, -1))))
    (fault,) = faults_of(decoder, {"instances": [{"v": cell} for cell in cells]})
    assert fault.path == "v"
    assert fault.message.startswith("row ")


def test_a_signature_with_a_fixed_number_of_rows_takes_that_number() -> None:
    decoder = Decoder(signature(Tensor("v", "FP32", (2, 1))))
    assert decoded(decoder, {"inputs": [tensor("v", "FP32", [2, 1], [1.0, 2.0])]}).rows == 2
    (fault,) = faults_of(decoder, {"inputs": [tensor("v", "FP32", [1, 1], [1.0])]})
    assert fault.message == "has 1 rows, 2 expected"


def test_inputs_may_come_in_any_order() -> None:
    decoder = Decoder(signature(*(Tensor(name, "FP32", (-1, 1)) for name in "abc")))
    for names in ("abc", "cba", "bac"):
        batch = decoded(decoder, {"inputs": [tensor(name, "FP32", [1, 1], [float(ord(name))]) for name in names]})
        assert {name: array.tolist() for name, array in batch.feeds.items()} == {name: [[float(ord(name))]] for name in "abc"}
        assert list(batch.values) == list("abc")


def test_parameters_of_other_extensions_change_nothing() -> None:
    told = tensor("n", "FP32", [1], [1.0]) | {"parameters": {"content_type": "pd"}}
    decoder = Decoder(signature(Tensor("n", "FP32", (-1,))))
    more = {"id": "7", "parameters": {"priority": 1, "sequence_id": "s"}, "outputs": [{"name": "y", "parameters": {"p": "q"}}]}
    assert decoded(decoder, {"inputs": [told], **more}).feeds["n"].tolist() == [1.0]


def test_a_field_is_read_from_whatever_form_it_comes_in() -> None:
    for content in (
        {"inputs": [tensor("v", "INT64", [2, 1], [1, 2])]},
        {"inputs": [tensor("v", "INT64", [2, 1], [[1], [2]])]},
        {"instances": [{"v": 1}, {"v": 2}]},
        b"v\n1\n2\n",
    ):
        headers = {"content-type": "text/csv"} if isinstance(content, bytes) else {}
        assert [int(value) for value in values_of(parsed(content, headers), "v")] == [1, 2]
        assert not any(values_of(parsed(content, headers), "w"))


def test_very_many_faults_are_told_in_part() -> None:
    decoder = Decoder(signature(Tensor("n", "FP32", (-1,))))
    once = {"name": "n", "shape": [1], "datatype": "FP32", "data": [1.0]}
    for content in (
        {"inputs": [once] * 100_000},
        {"inputs": [{**once, "shape": [2] * 100_000}]},
        {"inputs": [{**once, "shape": [-(10**4000)]}]},
        {"inputs": [{**once, "datatype": "F" * 100_000}]},
        {"instances": [{str(n) * 200: 1 for n in range(10_000)}]},
        {"inputs": [once], "outputs": [{"name": "n" * 200}] * 10_000},
    ):
        found = faults_of(decoder, content)
        assert 1 <= len(found) <= 20
        assert sum(len(str(fault)) for fault in found) < 10_000


def test_a_field_that_is_nested_deeply_is_not_unfolded_for_ever() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    request = parsed({"inputs": [tensor("v", "INT64", [1000, 1], [deep] * 1000)]})
    assert isinstance(values_of(request, "v")[0], list)
