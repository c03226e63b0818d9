"""A small packaged model in a folder: its score is number + whole + flag + the sum of `three`, and `text` counts not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from lockgate.boundary import bundles
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor, encode
from lockgate.boundary.releases import Release
from lockgate.domain.forms import Contents
from lockgate.kernel.digest import digest_bytes

SCALARS = (
    Tensor("text", "BYTES", (-1, 1)),
    Tensor("whole", "INT64", (-1, 1)),
    Tensor("flag", "BOOL", (-1, 1)),
    Tensor("number", "FP32", (-1, 1)),
)
WIDE = (*SCALARS, Tensor("three", "FP32", (-1, 3)))
OUTPUTS = (Tensor("echo", "BYTES", (-1, 1)), Tensor("sums", "FP32", (-1, 2)))
_TYPES = {"BYTES": TensorProto.STRING, "INT64": TensorProto.INT64, "BOOL": TensorProto.BOOL, "FP32": TensorProto.FLOAT}


def signature(inputs: tuple[Tensor, ...] = SCALARS) -> Signature:
    return Signature(inputs, OUTPUTS, "sums", 1)


def network(inputs: tuple[Tensor, ...] = SCALARS) -> bytes:
    """`sums` is 0 and the score, `echo` is `text`."""
    make = helper.make_node
    nodes = [make("Identity", ["text"], ["echo"])]
    nodes += [make("Cast", [name], [f"{name}-float"], to=TensorProto.FLOAT) for name in ("whole", "flag")]
    nodes += [make("Add", ["whole-float", "flag-float"], ["both"]), make("Add", ["both", "number"], ["partly"])]
    if len(inputs) > len(SCALARS):
        nodes += [make("ReduceSum", ["three", "axis"], ["third"]), make("Add", ["partly", "third"], ["all"])]
    last = "all" if len(inputs) > len(SCALARS) else "partly"
    nodes += [make("Sub", [last, last], ["zero"]), make("Concat", ["zero", last], ["sums"], axis=1)]
    ends = [helper.make_tensor_value_info(one.name, _TYPES[one.datatype], [None, *one.shape[1:]]) for one in (*inputs, *OUTPUTS)]
    axis = [helper.make_tensor("axis", TensorProto.INT64, [1], [1])]
    graph = helper.make_graph(nodes, "sums", ends[: len(inputs)], ends[len(inputs) :], axis)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def golden(inputs: tuple[Tensor, ...] = SCALARS) -> Golden:
    columns: dict[str, list[Any]] = {"text": ["a", "ü"], "whole": [1, 2], "flag": [True, False], "number": [0.5, -2.0]}
    if len(inputs) > len(SCALARS):
        return Golden(columns | {"three": [1.0, 2.0, 3.0, 0.0, 0.0, 1.0]}, [8.5, 1.0], 1e-6)
    return Golden(columns, [2.5, 0.0], 1e-6)


def contents(folder: Path, inputs: tuple[Tensor, ...] = SCALARS, **changed: Any) -> Contents:
    """As a form is built of it. changed: of the manifest."""
    content = network(inputs)
    path = folder / "model.onnx"
    path.write_bytes(content)
    fields = {
        "model": "sum-model",
        "runtime": "onnx",
        "files": (File("model.onnx", digest_bytes(content), len(content)),),
        "signature": signature(inputs),
        "golden": golden(inputs),
        "lineage": Lineage("run-1", None, dirty=False, author="ada", data={}, params={}),
    }
    manifest = Manifest(**{**fields, **changed})
    stored = encode(manifest)
    release = Release(manifest.model, 3, digest_bytes(stored))
    return Contents(release, manifest, stored, {"model.onnx": path}, {})


def laid(folder: Path, one: Contents) -> Path:
    """The package as a wheel has it in its folder."""
    place = folder / "package"
    for name, content in bundles.members(one.release, one.manifest_bytes, one.files, one.papers).items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    return place


def scores(rows: list[dict[str, Any]]) -> list[float]:
    """What the model says, worked out by hand."""
    return [float(np.float32(row["whole"] + row["flag"] + row["number"] + sum(row.get("three", ())))) for row in rows]
