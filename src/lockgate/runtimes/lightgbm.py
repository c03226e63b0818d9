"""Run LightGBM models from their own text files: data that runs no code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import lightgbm
import msgspec
import numpy as np

from lockgate.boundary.manifest import Manifest, names
from lockgate.kernel.errors import Invalid
from lockgate.runtimes import frames
from lockgate.runtimes.failures import failing_as_runtime
from lockgate.runtimes.model import Array, RuntimeFailure
from lockgate.runtimes.options import options_of
from lockgate.runtimes.package import Files

_SUFFIX = ".txt"
_BEGIN, _END = "tree\n", "\nend of trees\n"
_METHODS = ("predict", frames.PROBABILITIES)


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the model is called.

    method: predict (the library's answer as it is), predict_proba (of each class), argmax; one for each output, or one for all.
    categories: of each column of categories its levels, in the order in which the model learned them.
    classes: what argmax answers; of two classes 0 and 1.
    """

    method: str | tuple[str, ...] = "predict"
    categories: dict[str, tuple[Any, ...]] = {}
    classes: tuple[Any, ...] = (0, 1)
    threads: int = 1


def load(manifest: Manifest, files: Files) -> LightgbmModel:
    """The model of a package with one file that ends in .txt.

    Raises:
        RuntimeFailure: the file is no model. Invalid: the signature or the options are not the model's.
    """
    options = options_of(manifest, Options)
    with failing_as_runtime("lightgbm cannot load the model"):
        booster = lightgbm.Booster(model_str=_whole(bytes(files[files.only(_SUFFIX)])))
    return LightgbmModel(booster, manifest, options)


def _whole(content: bytes) -> str:
    """The text of a model. The library's parser ends the process when the text stops in the middle of a tree."""
    text = content.decode()
    if not (text.startswith(_BEGIN) and _END in text):
        raise RuntimeFailure("the file is no whole LightGBM model in text form")
    return text


class LightgbmModel:
    def __init__(self, booster: lightgbm.Booster, manifest: Manifest, options: Options) -> None:
        inputs = manifest.signature.inputs
        self._booster = booster
        self._matrices = frames.Matrices(inputs, np.float64, options.categories, _order(booster, names(inputs)))
        self._answers = frames.Answers(manifest.signature, options.method, _METHODS, options.classes)
        self._threads = options.threads

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """One array for each output of the signature, in its order.

        Raises:
            RuntimeFailure: the model raised, or its answers are not what the signature says.
        """
        with failing_as_runtime():
            rows = self._matrices.assemble(feeds)
            answer = np.asarray(self._booster.predict(rows, num_threads=self._threads))
            said = {"predict": answer, frames.PROBABILITIES: frames.two_columns(answer)}
            return self._answers.arrays(said.__getitem__, len(rows))


def _order(booster: lightgbm.Booster, inputs: Sequence[str]) -> Sequence[str]:
    """The inputs in the model's order. It writes spaces in their names as underscores, and Column_0, … where it knew none."""
    trained_on = booster.feature_name()
    if all(name == f"Column_{index}" for index, name in enumerate(trained_on)):
        return ()
    by_name = {"_".join(name.split()) if " " in name else name: name for name in inputs}
    if set(trained_on) != set(by_name):
        raise Invalid(f"the model's inputs are {sorted(trained_on)}, its signature says {sorted(inputs)}")
    return tuple(by_name[name] for name in trained_on)
