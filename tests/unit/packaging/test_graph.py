"""What a graph says, which inputs it needs, and what it should answer, against numbers that were worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor
from lockgate.kernel.errors import Invalid
from lockgate.stages.build.packaging.graph import DEEPEST, MOST_MODELS, Average, Leaf, Node, Reading, as_data, described, resolved
from lockgate.stages.build.packaging.graph_inputs import GraphInputs
from lockgate.stages.build.packaging.graph_package import may_be_inline, nesting_faults, requirement_faults, requirements_of
from lockgate.stages.build.packaging.graph_scores import Columns, golden, scores, tolerance

OUTPUT = Tensor("score", "FP32", (-1, 1))


def node_of(value: Any) -> Node:
    reading = Reading(value, ())
    assert reading.wrong == []
    assert reading.node is not None
    return reading.node


def wrong(value: Any) -> list[str]:
    return [f"{'.'.join(map(str, one.place))}: {one.message}" for one in Reading(value, ("graph",)).wrong]


def signature(**datatypes: str) -> Signature:
    return Signature(tuple(Tensor(name, datatype, (-1, 1)) for name, datatype in datatypes.items()), (OUTPUT,), "score")


def manifest(model: str = "a", runtime: str = "onnx", files: Sequence[str] = (), **more: Any) -> Manifest:
    kept = tuple(File(name, "sha256:" + "0" * 64, 1) for name in files)
    lineage = Lineage("run-1", None, dirty=False, author="ada", data={}, params={})
    return Manifest(model, runtime, kept, signature(x="FP32"), Golden({"x": [1.0]}, [1.0], 1e-5), lineage, **more)


# What it says


def test_all_kinds_are_read_and_told() -> None:
    node = node_of(
        {
            "average": [
                "a@champion",
                {"vote": ["a@1", "b@2"], "threshold": 0.5},
                {"switch": {"field": "origin", "cases": {"JFK": "a@1"}, "default": {"sequence": ["a@1", "b@2"], "as": "delay"}}},
            ],
            "weights": [2, 1, 0.5],
        }
    )
    assert described(node) == ("average(a@champion, vote(a@1, b@2), switch on origin(JFK: a@1, else sequence(a@1, b@2)))")
    versions = resolved(node, {"a@champion": 7, "a@1": 1, "b@2": 2})
    assert as_data(versions) == {
        "kind": "average",
        "nodes": [
            "a@7",
            {"kind": "vote", "nodes": ["a@1", "b@2"], "threshold": 0.5},
            {
                "kind": "switch",
                "field": "origin",
                "cases": {"JFK": "a@1"},
                "default": {"kind": "sequence", "nodes": ["a@1", "b@2"], "column": "delay"},
            },
        ],
        "weights": [2.0, 1.0, 0.5],
    }


def test_everything_that_is_wrong_is_told_at_once() -> None:
    value = {
        "average": ["a", "b@1", {"vot": ["a@1"]}, {"vote": [], "threshold": "much"}, {"sequence": ["a@1", 5]}],
        "weights": [1, 0],
        "weigths": [1],
    }
    told = wrong(value)
    for place in (
        "average.0",
        "average.2",
        "average.3.vote",
        "average.3.threshold",
        "average.4.sequence.1",
        "weights",
        "weigths",
    ):
        assert any(one.startswith(f"graph.{place}: ") for one in told), (place, told)
    meant = {one.place[-1]: one.suggestion for one in Reading(value, ()).wrong}
    assert meant["weigths"] == "weights"
    assert meant[2] == "vote"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"switch": {"cases": {"JFK": "a@1"}}}, "switch.field"),
        ({"switch": {"field": "origin", "cases": {}}}, "switch.cases"),
        ({"switch": {"field": "origin", "cases": {"JFK": "a@1"}, "else": "b@1"}}, "switch.else"),
        ({"average": ["a@1", "b@1"], "weights": [1]}, "1 weights found for 2 nodes"),
        ({"average": ["a@1"], "weights": [float("inf")]}, "greater than 0"),
        ({"average": ["a@1"], "vote": ["a@1"]}, "average and vote found"),
        ({"sequence": ["a@1", "b@1"]}, "graph.as"),
        (["a@1"], "expected"),
        ("a@", "'a@' found"),
    ],
)
def test_what_is_no_graph_is_refused(value: Any, found: str) -> None:
    assert any(found in one for one in wrong(value)), wrong(value)


def test_depth_and_number_have_bounds() -> None:
    deep: Any = "a@1"
    for _ in range(DEEPEST + 1):
        deep = {"average": [deep]}
    assert "inside each other" in wrong(deep)[0]
    assert "at most" in wrong({"average": ["a@1"] * (MOST_MODELS + 1)})[0]


# Which inputs it needs


def inputs_of(value: Any, **signatures: Signature) -> GraphInputs:
    return GraphInputs(node_of(value), {f"{name}@1": one for name, one in signatures.items()})


def test_the_inputs_are_those_of_all_nodes() -> None:
    made = inputs_of({"average": ["a@1", "b@1"]}, a=signature(x="FP32", y="INT64"), b=signature(y="INT64", z="BYTES"))
    assert [one.name for one in made.inputs] == ["x", "y", "z"]
    assert made.wrong == []


def test_an_input_with_two_datatypes_is_named_with_both_nodes() -> None:
    [fault] = inputs_of({"average": ["a@1", "b@1"]}, a=signature(x="FP32"), b=signature(x="INT64")).wrong
    assert fault.place == ("average", 1)
    assert fault.message == "b@1 takes 'x' as INT64 [-1, 1], and a@1 takes 'x' as FP32 [-1, 1]"


def test_a_score_that_the_next_node_takes_is_no_input_of_requests() -> None:
    chain = {"sequence": ["a@1", "b@1"], "as": "delay"}
    made = inputs_of(chain, a=signature(x="FP32"), b=signature(delay="FP64", y="FP32"))
    assert [one.name for one in made.inputs] == ["x", "y"]
    assert made.wrong == []
    [fault] = inputs_of(chain, a=signature(x="FP32"), b=signature(delays="FP32")).wrong
    assert (fault.place, fault.suggestion) == (("sequence", 1), "delays")
    [fault] = inputs_of(chain, a=signature(x="FP32"), b=signature(delay="BYTES")).wrong
    assert "is to be a score" in fault.message


def test_an_input_that_only_the_switch_reads_is_an_input_too() -> None:
    choice = {"switch": {"field": "origin", "cases": {"JFK": "a@1", "LGA": "a@1"}}}
    made = inputs_of(choice, a=signature(x="FP32"))
    assert made.inputs[1] == Tensor("origin", "BYTES", (-1, 1))
    assert made.only_switched == {"origin": ["JFK", "LGA"]}
    [fault, _] = inputs_of(choice, a=signature(origin="INT64")).wrong
    assert fault.place == ("switch", "cases", "JFK")
    [fault] = inputs_of(choice, a=signature(origin="FP32")).wrong
    assert fault.place == ("switch", "field")


# Whether packages may lie together


def test_a_model_is_no_part_of_itself() -> None:
    assert not list(nesting_faults("both", [manifest("a")]))
    assert list(nesting_faults("a", [manifest("a")]))
    inner = manifest("inner", "graph", ["nodes/deep/1/files/nodes/both/2/manifest.json", "nodes/deep/1/manifest.json"])
    assert list(nesting_faults("both", [inner]))
    assert not list(nesting_faults("other", [inner]))
    endless = manifest("inner", "graph", ["nodes/a/1/files/" * DEEPEST + "model.onnx"])
    assert list(nesting_faults("other", [endless]))


def test_one_process_has_one_environment() -> None:
    one, other = manifest("a", requirements=("skops==0.13.0",)), manifest("b", requirements=("Skops==0.12.0",))
    [fault] = requirement_faults([one, other])
    assert "require skops in versions 0.12.0, 0.13.0" in fault.message
    [fault] = requirement_faults([one, manifest("c")])
    assert "a runs in an environment of its own, c in the server's" in fault.message
    assert not list(requirement_faults([one, manifest("c", requirements=("numpy==2.0.0",))]))
    assert requirements_of([one, one]) == ("skops==0.13.0",)


def test_a_graph_is_inline_if_all_its_nodes_are() -> None:
    inner = manifest("inner", "graph", options={"inline": True})
    assert may_be_inline([manifest(), inner])
    assert not may_be_inline([manifest(), manifest("b", "sklearn")])
    assert not may_be_inline([manifest("inner", "graph", options={"inline": False})])


# What it should answer

COLUMNS: Columns = {"x": [1.0, 2.0, 3.0], "origin": ["JFK", "EWR", "LGA"]}
NAMES = ("a@1", "b@1", "c@1")


def ask(leaf: Leaf, columns: Columns) -> list[float]:
    """Model a says x, b says 10·x, c says 100 + the delay that it is given."""
    if leaf.model == "c":
        return [100.0 + value for value in columns["delay"]]
    return [value * (10.0 if leaf.model == "b" else 1.0) for value in columns["x"]]


def answered(value: Any, columns: Columns = COLUMNS, deviation: float = 1e-6) -> list[float | None]:
    rows = len(columns["x"])
    return scores(node_of(value), columns, rows, ask, dict.fromkeys(NAMES, deviation))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("b@1", [10, 20, 30]),
        ({"average": ["a@1", "b@1"]}, [5.5, 11, 16.5]),
        ({"average": ["a@1", "b@1"], "weights": [3, 1]}, [3.25, 6.5, 9.75]),
        ({"vote": ["a@1", "b@1"], "threshold": 2.5}, [0.5, 0.5, 1.0]),
        ({"vote": ["a@1", "b@1"], "threshold": 2}, [0.5, None, 1.0]),  # a@1 says 2, as nearly as makes no difference
        ({"switch": {"field": "origin", "cases": {"JFK": "b@1"}, "default": "a@1"}}, [10, 2, 3]),
        ({"switch": {"field": "origin", "cases": {"JFK": "b@1", "LGA": "a@1"}}}, [10, None, 3]),
        ({"sequence": ["a@1", "c@1"], "as": "delay"}, [101, 102, 103]),
        ({"sequence": ["a@1", "c@1", "c@1"], "as": "delay"}, [201, 202, 203]),
        ({"sequence": [{"switch": {"field": "origin", "cases": {"LGA": "b@1"}}}, "c@1"], "as": "delay"}, [None, None, 130]),
        ({"switch": {"field": "x", "cases": {"2.0": {"average": ["a@1", "b@1"]}}, "default": "a@1"}}, [1, 11, 3]),
    ],
)
def test_each_kind_answers_by_its_definition(value: Any, expected: list[float | None]) -> None:
    assert answered(value) == pytest.approx(expected)


def test_truths_are_switched_on_as_yaml_writes_them() -> None:
    columns: Columns = {"x": [1.0, 2.0], "weekend": [True, False]}
    assert answered({"switch": {"field": "weekend", "cases": {"true": "b@1", "false": "a@1"}}}, columns) == [10.0, 2.0]


numbers = st.floats(-1e6, 1e6)
weights = st.floats(0.01, 100)


@given(st.lists(numbers, min_size=1, max_size=5), weights)
def test_the_average_of_one_is_that_one(values: list[float], weight: float) -> None:
    node = Average((Leaf("a", "1"),), (weight,))
    assert scores(node, {"x": values}, len(values), ask, {"a@1": 0.0}) == pytest.approx(values)


@given(weights, weights, weights, weights)
def test_a_nested_average_is_the_flat_one_with_its_weights(outer: float, other: float, first: float, second: float) -> None:
    a, b = Leaf("a", "1"), Leaf("b", "1")
    nested = Average((Average((a, b), (first, second)), b), (outer, other))
    share = outer / (first + second)
    flat = Average((a, b, b), (share * first, share * second, other))
    told = [scores(one, COLUMNS, 3, ask, dict.fromkeys(NAMES, 0.0)) for one in (nested, flat)]
    assert told[0] == pytest.approx(told[1])


# Golden rows


def own(inputs: dict[str, list[Any]], tolerance: float = 1e-5) -> tuple[Signature, Golden]:
    datatypes = {name: "BYTES" if isinstance(values[0], str) else "FP32" for name, values in inputs.items()}
    return signature(**datatypes), Golden(inputs, [], tolerance)


def golden_of(value: Any, levels: Columns | None = None, **nodes: tuple[Signature, Golden]) -> Golden:
    node = node_of(value)
    known = {f"{name}@1": one for name, one in nodes.items()}
    inputs = GraphInputs(node, {name: said for name, (said, _) in known.items()}).inputs
    return golden(node, inputs, known, ask, levels or {})


def test_golden_rows_are_whole_rows_of_a_node_that_takes_all_inputs() -> None:
    made = golden_of({"average": ["a@1", "b@1"]}, a=own({"x": [1.0, 2.0]}), b=own({"x": [5.0, 6.0], "y": [7.0, 8.0]}))
    assert made.inputs == {"x": [5.0, 6.0], "y": [7.0, 8.0]}
    assert made.scores == [27.5, 33.0]


def test_where_no_node_takes_all_inputs_rows_are_put_together() -> None:
    a, b, c = own({"x": [1.0, 2.0, 3.0]}), own({"x": [9.0], "y": [7.0]}), own({"delay": [4.0, 5.0]})
    made = golden_of({"average": ["a@1", "b@1", "c@1"]}, a=a, b=b, c=c)
    assert made.inputs == {"x": [1.0, 2.0, 3.0], "y": [7.0, 7.0, 7.0], "delay": [4.0, 5.0, 4.0]}


def test_every_case_that_only_the_switch_knows_has_a_row() -> None:
    value = {"switch": {"field": "origin", "cases": {"JFK": "a@1", "LGA": "b@1"}}}
    made = golden_of(value, {"origin": ["JFK", "LGA"]}, a=own({"x": [3.0]}), b=own({"x": [4.0]}))
    assert made.inputs == {"x": [3.0, 4.0], "origin": ["JFK", "LGA"]}
    assert made.scores == [3.0, 40.0]


def test_rows_without_a_case_are_left_out_and_if_none_is_left_that_is_said() -> None:
    value = {"switch": {"field": "origin", "cases": {"JFK": "a@1"}}}
    made = golden_of(value, a=own({"x": [3.0, 4.0], "origin": ["JFK", "EWR"]}))
    assert made.inputs == {"x": [3.0], "origin": ["JFK"]}
    with pytest.raises(Invalid, match="none of its nodes' 1 golden rows"):
        golden_of(value, a=own({"x": [4.0], "origin": ["EWR"]}))


def test_inputs_of_several_values_stay_rows() -> None:
    wide = (Signature((Tensor("x", "FP32", (-1, 2)),), (OUTPUT,), "score"), Golden({"x": [1.0, 2.0, 3.0, 4.0]}, [], 1e-5))

    def first(_leaf: Leaf, columns: Columns) -> list[float]:
        return [float(cell[0]) for cell in columns["x"]]

    made = golden(Leaf("a", "1"), wide[0].inputs, {"a@1": wide}, first, {})
    assert made.inputs == {"x": [1.0, 2.0, 3.0, 4.0]}
    assert made.scores == [1.0, 3.0]


def test_a_graph_may_deviate_as_its_nodes_may() -> None:
    assert tolerance(node_of({"average": ["a@1", "b@1"]}), {"a@1": 1e-5, "b@1": 1e-3}) == 1e-3
    assert tolerance(node_of({"vote": ["a@1"], "threshold": 1}), {"a@1": 1e-5}) == 0
