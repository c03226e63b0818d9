"""Run an ONNX model inside the worker: one thread, one request at a time, no code of the model's author."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import onnxruntime

from lockgate.boundary.manifest import Manifest, Signature, names
from lockgate.kernel.errors import Invalid
from lockgate.serving.runtimes.model import Array, RuntimeFailure
from lockgate.serving.runtimes.package import Files

_SUFFIX = ".onnx"
_SILENT = 4  # what goes wrong is raised, counted and recorded; the library need not print it as well


def load(manifest: Manifest, files: Files) -> OnnxModel:
    return OnnxModel(bytes(files[files.only(_SUFFIX)]), manifest.signature)


class OnnxModel:
    """A session on verified bytes.

    The session uses one thread for each request: a gateway has one worker for each core, and a pool in each would only fight.

    Raises:
        RuntimeFailure: the bytes are no model that can run here. Invalid: the model's names are not those of the signature.
    """

    def __init__(self, content: bytes, signature: Signature) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = _SILENT
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            # onnxruntime's errors share no base but Exception.
            raise RuntimeFailure(f"onnxruntime cannot load the model: {_first_line(error)}") from error
        self._outputs = list(names(signature.outputs))
        self._check_names(signature)

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """One array for each output of the signature, in its order.

        Raises:
            RuntimeFailure: the runtime raised.
        """
        try:
            return cast("Sequence[Array]", self._session.run(self._outputs, feeds))
        except Exception as error:
            # As above: whatever a model raises on a request is that model's failure, and another version can still answer.
            raise RuntimeFailure(_first_line(error)) from error

    def _check_names(self, signature: Signature) -> None:
        for what, declared, present in (
            ("inputs", set(names(signature.inputs)), {one.name for one in self._session.get_inputs()}),
            ("outputs", set(names(signature.outputs)), {one.name for one in self._session.get_outputs()}),
        ):
            if not declared <= present or (what == "inputs" and declared != present):
                raise Invalid(f"the model's {what} are {sorted(present)}, its signature says {sorted(declared)}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
