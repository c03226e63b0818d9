"""The runtime that runs in the worker itself: what a package may reach from there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.embedded.onnx import OnnxModel
from lockgate.kernel.errors import LockgateError


def model_that_reads(path: str) -> bytes:
    """It adds to its input what stands in a file, as its weights."""
    weights = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [8], np.zeros(8, np.float32))
    weights.ClearField("float_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=path)
    weights.external_data.add(key="length", value="32")
    value = onnx.helper.make_tensor_value_info
    inputs, outputs = [value("x", onnx.TensorProto.FLOAT, [None, 8])], [value("y", onnx.TensorProto.FLOAT, [None, 8])]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Add", ["x", "w"], ["y"])], "reader", inputs, outputs, [weights])
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = made.SerializeToString()
    return content


def test_a_package_without_weight_files_reads_none_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home with its secrets lies there by default."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "prediction.key").write_bytes(bytes(range(32)))
    monkeypatch.chdir(tmp_path)
    signature = Signature((Tensor("x", "FP32", (-1, 8)),), (Tensor("y", "FP32", (-1, 8)),), "y")
    with pytest.raises(LockgateError):
        OnnxModel(model_that_reads("secrets/prediction.key"), signature)
