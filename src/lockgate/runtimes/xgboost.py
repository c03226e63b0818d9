"""Run XGBoost models from their own files, UBJSON or JSON: data that runs no code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import xgboost

from lockgate.boundary.manifest import Manifest, names
from lockgate.kernel.errors import Invalid
from lockgate.runtimes import frames
from lockgate.runtimes.failures import failing_as_runtime
from lockgate.runtimes.model import Array, RuntimeFailure
from lockgate.runtimes.options import options_of
from lockgate.runtimes.package import Files

_SUFFIXES = (".ubj", ".json")
_METHODS = ("predict", frames.PROBABILITIES)
_LINEAR = "gblinear"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the model is called.

    method: predict (the library's answer as it is), predict_proba (of each class), argmax; one for each output, or one for all.
    categories: of each column of categories its levels, in the order in which the model learned them.
    classes: what argmax answers; of two classes 0 and 1. iterations: how many rounds of trees, all of them if none is said.
    missing: the number that stands for a missing one, beside NaN.
    """

    method: str | tuple[str, ...] = "predict"
    categories: dict[str, tuple[Any, ...]] = {}
    classes: tuple[Any, ...] = (0, 1)
    iterations: int = 0
    missing: float | None = None
    threads: int = 1


def load(manifest: Manifest, files: Files) -> XgboostModel:
    """The model of a package with one file that ends in .ubj or .json.

    Raises:
        RuntimeFailure: the file is no model. Invalid: the signature or the options are not the model's.
    """
    options = options_of(manifest, Options)
    found = [name for name in files if name.endswith(_SUFFIXES)]
    if len(found) != 1:
        raise Invalid(f"{len(found)} files of the package end in {' or '.join(_SUFFIXES)}, one expected")
    booster = xgboost.Booster()
    with failing_as_runtime("xgboost cannot load the model"):
        booster.load_model(_whole(bytearray(files[found[0]])))
        booster.set_param({"nthread": options.threads, "device": "cpu"})
    return XgboostModel(booster, manifest, options)


def _whole(content: bytearray) -> bytearray:
    """One object of JSON or UBJSON. The library's parser ends the process when the content stops in the middle."""
    if not (content.startswith(b"{") and content.rstrip().endswith(b"}")):
        raise RuntimeFailure("the file is no whole XGBoost model in UBJSON or JSON")
    return content


class XgboostModel:
    def __init__(self, booster: xgboost.Booster, manifest: Manifest, options: Options) -> None:
        inputs = manifest.signature.inputs
        order = booster.feature_names
        if order is not None and set(order) != set(names(inputs)):
            raise Invalid(f"the model's inputs are {sorted(order)}, its signature says {sorted(names(inputs))}")
        self._booster = booster
        self._matrices = frames.Matrices(inputs, np.float32, options.categories, order or ())
        self._answers = frames.Answers(manifest.signature, options.method, _METHODS, options.classes)
        self._missing = np.nan if options.missing is None else options.missing
        self._range = (0, options.iterations)
        self._threads = options.threads
        self._linear = json.loads(booster.save_config())["learner"]["learner_train_param"]["booster"] == _LINEAR

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """One array for each output of the signature, in its order.

        Raises:
            RuntimeFailure: the model raised, or its answers are not what the signature says.
        """
        with failing_as_runtime():
            rows = self._matrices.assemble(feeds)
            answer = self._predict(rows)
            said = {"predict": answer, frames.PROBABILITIES: frames.two_columns(answer)}
            return self._answers.arrays(said.__getitem__, len(rows))

    def _predict(self, rows: Array) -> Array:
        if not self._linear:
            answer = self._booster.inplace_predict(rows, iteration_range=self._range, missing=self._missing)
        else:  # linear models know no prediction in place
            matrix = xgboost.DMatrix(
                rows, feature_names=self._booster.feature_names, missing=self._missing, nthread=self._threads
            )
            answer = self._booster.predict(matrix)
        return np.asarray(answer)
