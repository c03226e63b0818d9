"""Graphs of small ONNX models, and of one that is its author's own Python; what is expected is worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from lockgate.boundary.manifest import Tensor
from lockgate.integrations.local.artifacts import LocalArtifacts
from tests.contracts.runtime_models import python
from tests.contracts.runtime_models.fixture import Columns, Fixture, Made, columns, fixture

LIBRARY = None

SCORE = Tensor("score", "FP32", (-1, 1))
ROWS: Columns = {"x": [1.0, 2.0, 3.0, 4.0], "y": [0.5, -0.5, 0.25, 8.0], "origin": ["JFK", "EWR", "JFK", "LGA"]}
X, Y = np.array(ROWS["x"]), np.array(ROWS["y"])


def linear(folder: Path, name: str, factor: float, addend: float = 0.0) -> Fixture:
    """The score is factor · input + addend."""
    nodes = [helper.make_node("Mul", [name, "factor"], ["scaled"]), helper.make_node("Add", ["scaled", "addend"], ["score"])]
    values = [
        helper.make_tensor(one, TensorProto.FLOAT, [1, 1], [value]) for one, value in (("factor", factor), ("addend", addend))
    ]
    ends = [helper.make_tensor_value_info(one, TensorProto.FLOAT, [None, 1]) for one in (name, "score")]
    graph = helper.make_graph(nodes, "linear", ends[:1], ends[1:], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    given = ROWS.get(name, ROWS["x"])
    answers = (np.array(given) * factor + addend).reshape(-1, 1)
    files = {"model.onnx": onnx.ModelProto.SerializeToString(model)}
    return fixture(folder, Made("onnx", files, columns(name, "FP32"), ((SCORE, answers),), {name: given}))


def composed(folder: Path, graph: Any, nodes: dict[str, Fixture], inputs: str, expected: Any, **options: Any) -> Fixture:
    """A graph of packages, put together by hand. inputs: of ROWS. nodes: by MODEL@VERSION."""
    store = LocalArtifacts(folder)
    files: dict[str, bytes] = {}
    for name, node in nodes.items():
        place = f"nodes/{name.replace('@', '/')}/"
        files |= {f"{place}files/{file.name}": store.get(file.digest) for file in node.manifest.files}
        files[f"{place}manifest.json"] = store.get(node.digest)
    digests = {name: node.digest for name, node in nodes.items()}
    told = {"graph": graph, "nodes": digests, "inline": True, **options}
    tensors = tuple(tensor for name in inputs.split() for tensor in columns(name, "BYTES" if name == "origin" else "FP32"))
    rows = {name: ROWS[name] for name in inputs.split()}
    answers = np.asarray(expected, dtype=float).reshape(-1, 1)
    return fixture(folder, Made("graph", files, tensors, ((SCORE, answers),), rows, told), tolerance=1e-5)


def two(folder: Path) -> dict[str, Fixture]:
    return {"a@1": linear(folder, "x", 2.0), "b@3": linear(folder, "y", 1.0, 1.0)}


def make(folder: Path) -> Fixture:
    graph = {"kind": "average", "nodes": ["a@1", "b@3"], "weights": [1.0, 3.0]}
    return composed(folder, graph, two(folder), "x y", (2 * X + 3 * (Y + 1)) / 4)


def vote(folder: Path) -> Fixture:
    """Node b scores 1.5, 0.5, 1.25, 9; and 1.25 reaches the threshold."""
    graph = {"kind": "vote", "nodes": ["a@1", "b@3", "b@3"], "threshold": 1.25}
    return composed(folder, graph, two(folder), "x y", [1.0, 1 / 3, 1.0, 1.0])


def switch(folder: Path) -> Fixture:
    graph = {"kind": "switch", "field": "origin", "cases": {"JFK": "a@1", "LGA": "b@3"}, "default": "a@1"}
    return composed(folder, graph, two(folder), "x y origin", [2.0, 4.0, 6.0, 9.0])


def switch_without_default(folder: Path) -> Fixture:
    graph = {"kind": "switch", "field": "origin", "cases": {"JFK": "a@1", "LGA": "b@3", "EWR": "b@3"}}
    made = composed(folder, graph, two(folder), "x y origin", [2.0, 0.5, 6.0, 9.0])
    return replace(made, raising={"x": [1.0], "y": [1.0], "origin": ["SFO"]})


def sequence(folder: Path) -> Fixture:
    graph = {"kind": "sequence", "nodes": ["a@1", "late@2"], "column": "minutes"}
    nodes = {"a@1": linear(folder, "x", 2.0), "late@2": linear(folder, "minutes", 10.0, 1.0)}
    return composed(folder, graph, nodes, "x", 20 * X + 1)


def nested(folder: Path) -> Fixture:
    """A graph is a node of another one."""
    inner = make(folder)
    graph = {"kind": "average", "nodes": ["both@7", "b@3"], "weights": [1.0, 1.0]}
    nodes = {"both@7": inner, "b@3": two(folder)["b@3"]}
    return composed(folder, graph, nodes, "x y", ((2 * X + 3 * (Y + 1)) / 4 + Y + 1) / 2)


def of_python(folder: Path) -> Fixture:
    """A node that may not run inline: the whole graph may not."""
    one = python.make(folder)
    options = {"graph": {"kind": "average", "nodes": ["p@1"], "weights": [2.0]}, "nodes": {"p@1": one.digest}, "inline": False}
    store = LocalArtifacts(folder)
    files = {f"nodes/p/1/files/{file.name}": store.get(file.digest) for file in one.manifest.files}
    files["nodes/p/1/manifest.json"] = store.get(one.digest)
    expected = one.expected[1][:, 1].reshape(-1, 1)
    made = Made("graph", files, one.manifest.signature.inputs, ((SCORE, expected),), one.rows, options)
    return fixture(folder, made, tolerance=1e-5, raising=one.raising)


MAKERS = (make, vote, switch, switch_without_default, sequence, nested, of_python)
