"""Run an ONNX model inside the worker: one thread, one request at a time, no code of the model's author.

Weights that lie in files of their own (ONNX's external data) are mapped into memory, not read: all workers share one copy of
them, and half a gigabyte is loaded in milliseconds. The price is that onnxruntime may not lay them out anew for its kernels.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import onnxruntime

from lockgate.boundary.manifest import Manifest, Signature, names
from lockgate.kernel.errors import Invalid
from lockgate.runtimes.model import Array, RuntimeFailure
from lockgate.runtimes.package import Files

_SUFFIX = ".onnx"
_NOWHERE = Path("/nonexistent")  # else external data are looked for in the current folder, where the home lies
_SILENT = 4  # what goes wrong is raised, counted and recorded; the library need not print it as well


def load(manifest: Manifest, files: Files) -> OnnxModel:
    model = files.only(_SUFFIX)
    weights = [name for name in files if name != model]
    if not weights:
        return OnnxModel(bytes(files[model]), manifest.signature)
    with _together(files, weights) as folder:  # needed until they are mapped
        return OnnxModel(bytes(files[model]), manifest.signature, folder)


@contextmanager
def _together(files: Files, names: list[str]) -> Iterator[Path]:
    """The files under their names in one folder: hard links, or copies where the file system refuses them.

    onnxruntime follows no symbolic link out of the folder.
    """
    if any(name != Path(name).name for name in names):
        raise Invalid(f"files {', '.join(names)} found; external weights have plain names, without a folder")
    try:
        beside = TemporaryDirectory(prefix=".onnx-", dir=files.path(names[0]).parents[2])
    except OSError:
        beside = TemporaryDirectory(prefix="lockgate-onnx-")
    with beside as folder:
        for name in names:
            try:
                os.link(files.path(name), Path(folder) / name)
            except OSError:
                (Path(folder) / name).write_bytes(files[name])
        yield Path(folder)


class OnnxModel:
    """A session on verified bytes.

    The session uses one thread for each request: a gateway has one worker for each core, and a pool in each would only fight.

    Raises:
        RuntimeFailure: the bytes are no model that can run here. Invalid: the model's names are not those of the signature.
    """

    def __init__(self, content: bytes, signature: Signature, weights: Path | None = None) -> None:
        """weights: the folder of the model's external data, if it has any."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = _SILENT
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(weights or _NOWHERE))
        if weights is not None:
            options.add_session_config_entry("session.disable_prepacking", "1")
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            # onnxruntime's errors share no base but Exception.
            raise RuntimeFailure(f"onnxruntime cannot load the model: {_first_line(error)}") from error
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
