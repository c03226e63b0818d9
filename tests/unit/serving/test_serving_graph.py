"""Graphs in the data plane: what a load refuses, where a graph may run, and how a failing node is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate.boundary.manifest import Manifest
from lockgate.kernel.errors import Invalid, Refused
from lockgate.runtimes.model import Model, RuntimeFailure
from lockgate.runtimes.package import read
from lockgate.runtimes.registry import RUNTIMES, load_model, runtime_of
from lockgate.runtimes.trust import VARIABLE
from lockgate.stages.build.packaging import graph, graph_package
from tests.contracts.runtime_models import graph as graphs
from tests.contracts.runtime_models.fixture import Columns, Fixture


def load(made: Fixture) -> Model:
    return load_model(*read(made.artifacts, made.digest))


def refusal(made: Fixture) -> str:
    with pytest.raises(Invalid) as caught:
        load(made)
    return caught.value.message


def with_options(made: Fixture, **options: Any) -> Fixture:
    return made.changed(options={**made.manifest.options, **options})


def test_a_package_says_whether_it_runs_inline_and_nothing_else_does(tmp_path: Path) -> None:
    made = graphs.make(tmp_path)
    assert runtime_of(made.manifest).inline
    for said in (False, None, 1, "true"):
        assert not runtime_of(with_options(made, inline=said).manifest).inline
    single = graphs.linear(tmp_path, "x", 1.0).manifest
    assert runtime_of(single).inline
    assert not runtime_of(Manifest(**{**_fields(single), "runtime": "python", "options": {"inline": True}})).inline


def test_composing_and_serving_mean_the_same_runtimes_by_inline() -> None:
    assert {name for name, one in RUNTIMES.items() if one.inline} == graph_package.INLINE
    assert [name for name, one in RUNTIMES.items() if one.composed] == [graph.RUNTIME]


def test_a_node_that_may_not_run_inline_is_not_loaded_inline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    made = graphs.of_python(tmp_path)
    load(made)
    assert "p@1 (python) may not" in refusal(with_options(made, inline=True))

    outer = graphs.composed(tmp_path, "g@1", {"g@1": made}, "x", [1.0] * 4)  # inline, of a graph that is not
    assert "g@1 (graph) may not" in refusal(outer)
    lying = graphs.composed(tmp_path, "g@1", {"g@1": with_options(made, inline=True)}, "x", [1.0] * 4)
    assert "p@1 (python) may not" in refusal(lying)


def test_code_in_a_node_needs_the_platforms_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(Refused, match=r"node p@1: .* does not trust"):
        load(graphs.of_python(tmp_path))


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("c@1", "'c@1' found, one of a@1, b@3 expected"),
        ({"kind": "average", "nodes": ["a@1", "b@3"], "weights": [1.0]}, "one greater than 0 for each"),
        ({"kind": "average", "nodes": [], "weights": []}, "without nodes"),
        ({"kind": "median", "nodes": ["a@1"]}, "median"),
        ({"kind": "switch", "field": "origin", "cases": {"JFK": "a@1"}}, "needs the input 'origin'"),
        ("a@1", r"inputs are \['x'\], its signature says \['x', 'y'\]"),
    ],
)
def test_options_that_are_no_such_graph_are_refused(tmp_path: Path, said: Any, found: str) -> None:
    with pytest.raises(Invalid, match=found):
        load(with_options(graphs.make(tmp_path), graph=said))


def test_no_graph_is_deeper_than_the_bound(tmp_path: Path) -> None:
    made = graphs.make(tmp_path)
    deep: Any = made.manifest.options["graph"]
    for _ in range(9):
        deep = {"kind": "average", "nodes": [deep], "weights": [1.0]}
    assert "inside each other" in refusal(with_options(made, graph=deep))
    first, *others = made.manifest.files
    far = made.changed(files=(*others, first, type(first)("nodes/a/1/files/" * 9 + "model", first.digest, first.size)))
    assert "inside each other" in refusal(far)


def test_a_node_has_its_own_files_and_no_others(tmp_path: Path) -> None:
    made = graphs.make(tmp_path)
    other = graphs.linear(tmp_path, "x", 5.0)
    swapped = type(made.manifest.files[0])(made.manifest.files[0].name, other.manifest.files[0].digest, 1)
    with pytest.raises(RuntimeFailure, match=r"node a@1: its file model.onnx is another one"):
        load(made.changed(files=(swapped, *made.manifest.files[1:])))
    extra = type(swapped)("nodes/a/1/files/more.bin", swapped.digest, swapped.size)
    assert "more.bin found" in refusal(made.changed(files=(*made.manifest.files, extra)))


def test_a_node_that_fails_is_named(tmp_path: Path) -> None:
    model = load(graphs.make(tmp_path))
    infinite = np.array([[1.0], [3e38]], dtype=np.float32)
    with pytest.raises(RuntimeFailure, match="node a@1: a score is inf") as caught:
        model.run({"x": infinite, "y": infinite})
    assert caught.value.kind == "output"
    with pytest.raises(RuntimeFailure, match="node b@3: ") as raised:
        model.run({"x": infinite[:1], "y": np.array([["no number"]], dtype=object)})
    assert raised.value.kind == "error"


def test_a_row_without_a_case_is_a_failure_that_does_not_tell_its_value(tmp_path: Path) -> None:
    made = graphs.switch_without_default(tmp_path)
    rows: Columns = {"x": [1.0, 2.0], "y": [1.0, 2.0], "origin": ["JFK", "secret"]}
    with pytest.raises(RuntimeFailure, match="switch on 'origin': a row is none of EWR, JFK, LGA") as caught:
        load(made).run(made.feeds(rows))
    assert "secret" not in caught.value.message


def test_scores_are_compared_with_the_threshold_as_they_travel(tmp_path: Path) -> None:
    """Of 32 bits, 0.7 is a little less than 0.7 of 64 bits, and still it is 0.7."""
    said = {"kind": "vote", "nodes": ["a@1"], "threshold": 0.7}
    made = graphs.composed(tmp_path, said, {"a@1": graphs.linear(tmp_path, "x", 0.7)}, "x", [1.0] * 4)
    assert load(made).run({"x": np.array([[1.0], [0.99]], dtype=np.float32)})[0].tolist() == [[1.0], [0.0]]


def test_part_of_a_packages_files_is_seen_under_shorter_names(tmp_path: Path) -> None:
    made = graphs.make(tmp_path)
    _, files = read(made.artifacts, made.digest)
    part = files.under("nodes/a/1/files/")
    assert list(part) == ["model.onnx"]
    assert part.only(".onnx") == "model.onnx"
    assert part["model.onnx"] == files["nodes/a/1/files/model.onnx"]
    assert part.path("model.onnx") == files.path("nodes/a/1/files/model.onnx")
    with pytest.raises(Invalid, match="no file 'other'"):
        part["other"]


def test_rows_by_themselves_are_answered_as_among_others(tmp_path: Path) -> None:
    made = graphs.switch(tmp_path)
    model = load(made)
    together = model.run(made.feeds())[0]
    for row in range(made.size):
        feeds = {name: feed[row : row + 1] for name, feed in made.feeds().items()}
        np.testing.assert_array_equal(model.run(feeds)[0], together[row : row + 1])


def _fields(manifest: Manifest) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in manifest.__struct_fields__}
