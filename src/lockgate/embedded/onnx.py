"""Run an ONNX model inside the caller's process: one thread, one request at a time, no code of the model's author."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from lockgate.embedded.datatypes import Array
from lockgate.embedded.failures import RuntimeFailure
from lockgate.embedded.onnx_library import onnxruntime
from lockgate.embedded.package import Package
from lockgate.embedded.signature import Signature, names
from lockgate.kernel.errors import Invalid

SUFFIX = ".onnx"
_NOWHERE = Path("/nonexistent")  # else external data are looked for in the current folder, where the home lies
_SILENT = 4  # what goes wrong is raised, counted and recorded; the library need not print it as well


def load(package: Package) -> OnnxModel:
    """The model of a package in a folder; weights in files of their own lie beside it.

    Raises:
        Corrupt: a file was altered. RuntimeFailure, Invalid: as `OnnxModel`; Invalid too if there is not one model.
    """
    models = [name for name in package.files if name.endswith(SUFFIX)]
    if len(models) != 1:
        raise Invalid(f"{len(models)} files of the package end in {SUFFIX}, one expected")
    weights = [name for name in package.files if name != models[0]]
    for name in weights:
        package.check(name)
    return OnnxModel(package.content(models[0]), package.signature, package.path(models[0]).parent if weights else None)


class OnnxModel:
    """A session on verified bytes.

    The session uses one thread for each request: a gateway has one worker for each core, and a pool in each would only fight;
    and the threads of somebody else's program are theirs to arrange.

    Raises:
        RuntimeFailure: the bytes are no model that can run here. Invalid: the model's names are not those of the signature.
    """

    def __init__(self, content: bytes, signature: Signature, weights: Path | None = None) -> None:
        """weights: the folder of the model's external data, if it has any."""
        self._session = _session(content, weights)
        self._outputs = list(names(signature.outputs))
        self._check_names(signature)
        # The public `run` compares the feeds' names with the model's before each call, which the decoder has done already: a
        # quarter of the time of a small model. This is what it calls then.
        self._run = self._session._sess.run  # noqa: SLF001 - see above
        self._run_options = onnxruntime.RunOptions()

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """One array for each output of the signature, in its order.

        Raises:
            RuntimeFailure: the runtime raised.
        """
        try:
            return cast("Sequence[Array]", self._run(self._outputs, feeds, self._run_options))
        except Exception as error:
            # As below: whatever a model raises on a request is that model's failure, and another version can still answer.
            raise RuntimeFailure(_first_line(error)) from error

    def _check_names(self, signature: Signature) -> None:
        for what, declared, present in (
            ("inputs", set(names(signature.inputs)), {one.name for one in self._session.get_inputs()}),
            ("outputs", set(names(signature.outputs)), {one.name for one in self._session.get_outputs()}),
        ):
            if not declared <= present or (what == "inputs" and declared != present):
                raise Invalid(f"the model's {what} are {sorted(present)}, its signature says {sorted(declared)}")


def _session(content: bytes, weights: Path | None) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _SILENT
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(weights or _NOWHERE))
    if weights is not None:
        options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime's errors share no base but Exception.
        raise RuntimeFailure(f"onnxruntime cannot load the model: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
