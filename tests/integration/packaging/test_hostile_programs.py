"""Exported programs that would run something: PyTorch would run it while loading; here each is refused, by name, before that."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate.boundary.programs import program
from lockgate.boundary.programs.operators import is_allowed
from lockgate.kernel.errors import Invalid, Refused

if os.environ.get("CI") == "true":
    import torch
else:
    torch = pytest.importorskip("torch")

GRAPH = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
Graph = dict[str, Any]


class Little(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, rows: Any) -> Any:
        return self.layer(rows).relu() * 2


@pytest.fixture(scope="module")
def records() -> dict[str, bytes]:
    """The records of a harmless program, as PyTorch saves it."""
    exported = torch.export.export(Little(), (torch.zeros(2, 2),), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    buffer = io.BytesIO()
    torch.export.save(exported, buffer)
    with zipfile.ZipFile(buffer) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def archived(records: dict[str, bytes], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, content in records.items():
            archive.writestr(f"archive/{name}", content)
    return buffer.getvalue()


def changed(records: dict[str, bytes], change: Callable[[Graph], Any], name: str = GRAPH) -> bytes:
    graph = json.loads(records[name])
    change(graph)
    return archived({**records, name: json.dumps(graph).encode()})


def refusal(content: bytes) -> str:
    with pytest.raises(Refused) as caught:
        program.read(content)
    assert caught.value.hint
    return caught.value.message


def first_node(graph: Graph) -> Graph:
    node: Graph = graph["graph_module"]["graph"]["nodes"][0]
    return node


def sizes(graph: Graph) -> list[Graph]:
    found: list[Graph] = graph["graph_module"]["graph"]["tensor_values"]["rows"]["sizes"]
    return found


def test_a_harmless_program_answers_as_before(records: dict[str, bytes]) -> None:
    content = archived(records)
    rows = torch.tensor(np.arange(6.0, dtype=np.float32).reshape(3, 2))
    before = torch.export.load(io.BytesIO(content)).module()(rows)
    assert torch.equal(torch.export.load(io.BytesIO(program.whole(program.read(content), {}))).module()(rows), before)


# Code in the graph


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "Symbol('s0', positive=True, integer=True).__class__",
        "Symbol('__import__')",
        "(lambda: 1)()",
        "Pow(Integer(9), Integer(9999999999))",
        "Integer(99999999999999999999)",
        "eval('1')",
        "[x for x in (1,)]",
        "Add(*[1, 2])",
        "",
    ],
)
def test_sizes_are_plain_expressions(records: dict[str, bytes], expression: str) -> None:
    """SymPy reads them with `eval`."""
    sized = {"as_expr": {"expr_str": expression, "hint": {"as_int": 2}}}
    message = refusal(changed(records, lambda graph: sizes(graph).__setitem__(0, sized)))
    assert message == f"the size {expression[:100]!r} in the program is no plain expression"


def test_sizes_that_the_exporter_writes_are_taken(records: dict[str, bytes]) -> None:
    text = "Mul(Integer(2), Add(Symbol('s77', positive=True, integer=True), Integer(-1)))"
    sized = {"as_expr": {"expr_str": text, "hint": {"as_int": 2}}}
    program.read(changed(records, lambda graph: sizes(graph).__setitem__(0, sized)))


def test_guards_are_not_evaluated(records: dict[str, bytes], tmp_path: Path) -> None:
    guard = f"__import__('pathlib').Path({str(tmp_path / 'written')!r}).touch()"
    content = changed(records, lambda graph: graph.update(guards_code=[guard]))
    torch.export.load(io.BytesIO(program.whole(program.read(content), {}))).module()(torch.zeros(2, 2))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "target",
    [
        "torch.os.system",
        "torch.load",
        "torch.hub.load",
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.save.default",
        "torch.ops.load_library",
        "torch.ops.aten.rand.default",
        "torch.ops.mine.own.default",
        "torch.ops.higher_order.cond",
        "torch.ops.aten.add.Tensor.__class__",
        "_operator.attrgetter",
        "math.__loader__",
        "#mine:own",
        "aten.add",
    ],
)
def test_only_tensor_operations_are_called(records: dict[str, bytes], target: str) -> None:
    assert f"the program calls {target!r}" in refusal(changed(records, lambda graph: first_node(graph).update(target=target)))


def test_operations_are_allowed_in_place_too() -> None:
    assert is_allowed("torch.ops.aten.relu_.default")
    assert is_allowed("torch.ops.aten._softmax.default")
    assert not is_allowed("torch.ops.aten.from_file_.default")


@pytest.mark.parametrize("name", ["x); import os #", "x = 1\nimport os", "__builtins__", "lambda", "os.system"])
def test_names_become_variables_and_nothing_else(records: dict[str, bytes], name: str) -> None:
    def rename(graph: Graph) -> None:
        first_node(graph)["outputs"][0]["as_tensor"]["name"] = name

    assert repr(name) in refusal(changed(records, rename))


def test_nestings_are_tuples_lists_and_dictionaries(records: dict[str, bytes]) -> None:
    """A default dictionary names its factory: any function of any module."""
    factory = json.dumps({"default_factory_module": "os", "default_factory_name": "getcwd"})
    tree = json.dumps([1, {"type": "collections.defaultdict", "context": factory, "children_spec": []}])

    def nest(graph: Graph) -> None:
        graph["graph_module"]["module_call_graph"][0]["signature"]["out_spec"] = tree

    assert "of type 'collections.defaultdict'" in refusal(changed(records, nest))


@pytest.mark.parametrize("kind", ["as_graph", "as_custom_obj", "as_operator"])
def test_arguments_are_tensors_and_numbers(records: dict[str, bytes], kind: str) -> None:
    def give(graph: Graph) -> None:
        first_node(graph)["inputs"][0]["arg"] = {kind: {"name": "other"}}

    assert f"the program holds {kind.removeprefix('as_')}" in refusal(changed(records, give))


# Pickles, libraries and the archive itself


class Harm:
    def __reduce__(self) -> Any:
        return os.system, ("false",)


@pytest.mark.parametrize(
    "name",
    [
        "data/weights/model.pt",
        "data/constants/model.pt",
        "data/constants/opaque_obj_0",
        "data/constants/custom_obj_0",
        "data/aotinductor/model/wrapper.so",
        "extra/notes.txt",
        "models/other.json",
        "../outside",
        "data/weights/../../outside",
    ],
)
def test_records_that_are_not_known_to_be_data_are_refused_by_name(records: dict[str, bytes], name: str) -> None:
    assert refusal(archived({**records, name: pickle.dumps(Harm())})).startswith(f"{name} is none of the records")


def test_example_inputs_are_a_pickle_that_is_never_read(records: dict[str, bytes]) -> None:
    content = archived({**records, "data/sample_inputs/model.pt": pickle.dumps(Harm())})
    assert pickle.dumps(Harm()) not in program.whole(program.read(content), {})


def test_a_weight_that_is_a_pickle_is_refused_by_name(records: dict[str, bytes]) -> None:
    def pickled(config: Graph) -> None:
        config["config"]["layer.bias"]["use_pickle"] = True

    assert refusal(changed(records, pickled, WEIGHTS)) == "layer.bias of the program is a pickle, which may be code"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path_name": "../../outside"}, "layer.weight of the program lies in '../../outside', which is no record of it"),
        ({"path_name": "weight_77"}, "layer.weight of the program lies in 'weight_77', which is no record of it"),
    ],
)
def test_a_weight_lies_in_a_record_of_its_own(records: dict[str, bytes], change: Graph, message: str) -> None:
    content = changed(records, lambda config: config["config"]["layer.weight"].update(change), WEIGHTS)
    assert refusal(content) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": [{"as_int": 10**9}, {"as_int": 2}]}, "layer.weight of the program reaches beyond its record"),
        ({"strides": [{"as_int": 10**9}, {"as_int": 10**9}]}, "layer.weight of the program reaches beyond its record"),
        ({"storage_offset": {"as_int": 1}}, "layer.weight of the program reaches beyond its record"),
        ({"layout": 1}, "layer.weight of the program is no plain tensor on the CPU"),
        ({"device": {"type": "cuda", "index": 0}}, "layer.weight of the program is no plain tensor on the CPU"),
        ({"dtype": 99}, "layer.weight of the program is no plain tensor on the CPU"),
    ],
)
def test_a_weight_is_what_its_record_holds(records: dict[str, bytes], change: Graph, message: str) -> None:
    content = changed(records, lambda config: config["config"]["layer.weight"]["tensor_meta"].update(change), WEIGHTS)
    assert refusal(content) == message


def test_a_zip_bomb_is_refused(records: dict[str, bytes]) -> None:
    """Records of a program are never compressed: nothing can be larger in memory than the file is."""
    content = archived({**records, "data/weights/weight_0": bytes(10_000_000)}, compression=zipfile.ZIP_DEFLATED)
    assert len(content) < 100_000
    assert "is compressed, and an exported program's records are not" in refusal(content)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_records_of_one_name_are_refused(records: dict[str, bytes]) -> None:
    """PyTorch's reader might take the other one than the one that was looked at."""
    buffer = io.BytesIO(archived(records))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(f"archive/{GRAPH}", b"{}")
    assert refusal(buffer.getvalue()) == "records of the exported program lie over one another"


@pytest.mark.parametrize("name", [GRAPH, WEIGHTS])
def test_a_record_that_is_missing_or_damaged_is_told(records: dict[str, bytes], name: str) -> None:
    with pytest.raises(Invalid, match=f"has no {name}"):
        program.read(archived({key: content for key, content in records.items() if key != name}))
    for damage in (b"", b"[]", b"null", b"[" * 100_000, records[name][:-1]):
        with pytest.raises(Invalid):
            program.read(archived({**records, name: damage}))
