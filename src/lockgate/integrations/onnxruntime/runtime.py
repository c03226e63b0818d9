"""ONNX packages, loaded and asked once: what `verify` does with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.boundary.manifest import Manifest
from lockgate.embedded.onnx_library import onnxruntime
from lockgate.kernel.errors import Invalid
from lockgate.stages.build.packaging.tensors import tensors

_SUFFIX = ".onnx"
_ERRORS_ONLY = 3
failures = onnxruntime.capi.onnxruntime_pybind11_state
# The library's own errors have no common type but Exception.
_FAILURES = (
    failures.Fail,
    failures.InvalidArgument,
    failures.InvalidGraph,
    failures.InvalidProtobuf,
    failures.NotImplemented,
    failures.RuntimeException,
    ValueError,
    IndexError,
)


class OnnxRuntime:
    name = "onnx"

    def scores(self, manifest: Manifest, files: Mapping[str, bytes], columns: Mapping[str, Sequence[Any]]) -> Sequence[float]:
        signature = manifest.signature
        inputs = tensors(signature, columns)
        try:
            answers = _session(_model(files)).run([signature.score], inputs)[0]
            column = np.asarray(answers).reshape(len(answers), -1)[:, signature.score_column]
        except _FAILURES as error:
            reason = str(error).strip().partition("\n")[0]
            raise Invalid(f"the model cannot answer: {reason}", hint="Package the model anew.") from error
        return [float(score) for score in column]


def _model(files: Mapping[str, bytes]) -> bytes:
    models = [name for name in files if name.endswith(_SUFFIX)]
    if len(models) != 1:
        raise Invalid(f"{len(models)} files end in {_SUFFIX} ({', '.join(files)} found), one expected")
    return files[models[0]]


def _session(content: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
