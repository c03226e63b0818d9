"""Run an ONNX model inside the worker: one thread, one request at a time, no code of the model's author.

Weights that lie in files of their own (ONNX's external data) are mapped into memory, not read: all workers share one copy of
them, and half a gigabyte is loaded in milliseconds. The price is that onnxruntime may not lay them out anew for its kernels.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lockgate.boundary.manifest import Manifest
from lockgate.embedded.onnx import SUFFIX, OnnxModel
from lockgate.kernel.errors import Invalid
from lockgate.runtimes.package import Files


def load(manifest: Manifest, files: Files) -> OnnxModel:
    model = files.only(SUFFIX)
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
