"""Run a model that is its author's own Python: one module, and files that it reads; only where the platform trusts such code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from lockgate.boundary.folder import Folder
from lockgate.boundary.manifest import Manifest, Signature, Tensor
from lockgate.boundary.python_models import MODULE, Predict, predictor
from lockgate.kernel.errors import Invalid
from lockgate.runtimes.damage import damage_as_failure
from lockgate.runtimes.failures import failing_as_runtime
from lockgate.runtimes.frames import DTYPES
from lockgate.runtimes.model import Array
from lockgate.runtimes.options import options_of
from lockgate.runtimes.outputs import Outputs
from lockgate.runtimes.package import Files
from lockgate.runtimes.trust import check_trusted


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """entry: what of the module answers.

    A class is made with the folder of the package's files (a pathlib.Path) and asked by its method `predict`; a function is
    asked itself. Either is given the columns by input: arrays of shape (rows,) with numbers of 64 bits or texts, or as `dtypes`
    says; inputs of several values a row come as they are. What it answers: see `outputs`, with method and classes.
    """

    entry: str = "Model"
    method: str | tuple[str, ...] | None = None
    classes: tuple[Any, ...] | None = None
    dtypes: dict[str, str] = {}


def load(manifest: Manifest, files: Files) -> PythonModel:
    """The model of a package with a file model.py.

    Raises:
        Refused: the platform does not trust code of packages. RuntimeFailure: the module raises, or has no such entry.
        Invalid: there is no such module, or a file's name is no plain path.
    """
    options = options_of(manifest, Options)
    check_trusted(manifest, MODULE)
    files[MODULE]
    folder = Folder(files)
    with damage_as_failure(), failing_as_runtime(f"{MODULE} cannot be loaded"):
        predict = predictor(folder.path, options.entry)
    return PythonModel(predict, manifest.signature, options, folder)


class PythonModel:
    """folder: kept as long as the model, which may read there at any time."""

    def __init__(self, predict: Predict, signature: Signature, options: Options, folder: Folder) -> None:
        self._predict = predict
        self._folder = folder
        self._dtypes = {tensor.name: _dtype(tensor, options) for tensor in signature.inputs}
        self._outputs = Outputs(signature, options.method, options.classes)

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """One array for each output of the signature, in its order.

        Raises:
            RuntimeFailure: the model raised, or its answers are not what the signature says.
        """
        with failing_as_runtime():
            columns = {name: _column(feeds[name], dtype) for name, dtype in self._dtypes.items()}
            rows = len(next(iter(columns.values())))
            return self._outputs.arrays(self._predict(columns), rows)


def _dtype(tensor: Tensor, options: Options) -> Any:
    """None: the input's own, in its own shape."""
    if tensor.shape[1:] != (1,):
        return None
    try:
        return np.dtype(options.dtypes.get(tensor.name, "float64" if tensor.datatype == "FP32" else DTYPES[tensor.datatype]))
    except (KeyError, TypeError) as error:
        raise Invalid(f"dtype of input {tensor.name!r}: {error}") from error


def _column(feed: Array, dtype: Any) -> Array:
    """A copy: a model may write into what it is given, and the feeds are others' too."""
    return np.array(feed) if dtype is None else np.array(feed.reshape(-1), dtype=dtype)
