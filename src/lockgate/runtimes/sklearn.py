"""Run scikit-learn models from skops files: what does not convert to ONNX. In a process of its own: it is Python, and slower."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import msgspec
import numpy as np
from joblib import parallel_config
from threadpoolctl import ThreadpoolController

from lockgate.boundary.manifest import Manifest, names
from lockgate.kernel.errors import Invalid
from lockgate.runtimes import frames
from lockgate.runtimes.failures import failing_as_runtime
from lockgate.runtimes.model import Array
from lockgate.runtimes.options import options_of
from lockgate.runtimes.package import Files
from lockgate.runtimes.trusted import of_this_process, unpack

_SUFFIX = ".skops"
_METHODS = ("predict", "predict_proba", "decision_function", "transform")


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the model is called.

    frame: "pandas", a data frame with the inputs' names, or "array", one matrix of FP64.
    method: of predict, predict_proba, decision_function, transform, argmax; one for each output, or one for all.
    categories, dtypes: columns of the data frame that are neither text, INT64 nor float64 (see `frames.Frames`).
    threads: how many may work on one call.
    """

    frame: Literal["pandas", "array"] = "pandas"
    method: str | tuple[str, ...] = "predict"
    categories: dict[str, tuple[Any, ...]] = {}
    dtypes: dict[str, str] = {}
    threads: int = 1


def load(manifest: Manifest, files: Files) -> SklearnModel:
    """The model of a package with one file that ends in .skops.

    Raises:
        RuntimeFailure: the file is damaged or holds what the platform does not trust. Invalid: the signature or the options are
        not the model's. ImportError: pandas is missing.
    """
    options = options_of(manifest, Options)
    return SklearnModel(unpack(bytes(files[files.only(_SUFFIX)]), of_this_process()), manifest, options)


class SklearnModel:
    def __init__(self, model: Any, manifest: Manifest, options: Options) -> None:
        signature = manifest.signature
        _check_names(model, names(signature.inputs))
        for method in {options.method} if isinstance(options.method, str) else {*options.method}:
            if method != frames.ARGMAX and not hasattr(model, method):
                raise Invalid(f"{type(model).__name__} has no method {method!r}")
        self._model = model
        self._assemble = _assembler(manifest, options)
        self._answers = frames.Answers(signature, options.method, _METHODS, getattr(model, "classes_", None))
        self._pools = ThreadpoolController()
        self._threads = options.threads

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """One array for each output of the signature, in its order.

        Raises:
            RuntimeFailure: the model raised, or its answers are not what the signature says.
        """
        with failing_as_runtime(), self._with_threads():
            rows = self._assemble(feeds)
            return self._answers.arrays(lambda method: getattr(self._model, method)(rows), len(rows))

    @contextmanager
    def _with_threads(self) -> Iterator[None]:
        """Of joblib, whatever n_jobs the model was trained with, of OpenMP and of BLAS. It takes 20 µs."""
        backend = "sequential" if self._threads == 1 else "threading"
        with self._pools.limit(limits=self._threads), parallel_config(backend=backend, n_jobs=self._threads):
            yield


def _assembler(manifest: Manifest, options: Options) -> Any:
    inputs = manifest.signature.inputs
    if options.frame == "pandas":
        return frames.Frames(inputs, options.categories, options.dtypes).assemble
    return frames.Matrices(inputs, np.float64, options.categories).assemble


def _check_names(model: Any, inputs: Sequence[str]) -> None:
    trained_on = getattr(model, "feature_names_in_", None)
    if trained_on is not None and set(trained_on) != set(inputs):
        raise Invalid(f"the model's inputs are {sorted(trained_on)}, its signature says {sorted(inputs)}")
