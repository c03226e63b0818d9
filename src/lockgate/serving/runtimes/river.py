"""Run River models, which learn row by row, from the platform's own file of objects: no pickle, every number to the last bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import river.base

from lockgate.boundary.manifest import Manifest, Signature, names
from lockgate.boundary.objects import reading
from lockgate.boundary.objects.river import RIVER
from lockgate.kernel.errors import Invalid
from lockgate.serving.runtimes import frames
from lockgate.serving.runtimes.damage import damage_as_failure
from lockgate.serving.runtimes.failures import failing_as_runtime, first_line
from lockgate.serving.runtimes.model import Array, RuntimeFailure
from lockgate.serving.runtimes.options import options_of
from lockgate.serving.runtimes.package import Files

_SUFFIX = ".json"
_METHODS = ("predict", frames.PROBABILITIES)
_PANIC = "PanicException"  # of Rust code; no Exception, and nameable only once one was raised


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the model is called.

    method: predict, predict_proba (of each class, in the order of `classes`) or argmax; one for each output, or one for all.
    classes: the labels that a classifier learned. booleans: inputs that travel as numbers and that the model knows as booleans.
    """

    method: str | tuple[str, ...] = "predict"
    classes: tuple[bool | int | float | str, ...] | None = None
    booleans: tuple[str, ...] = ()


def load(manifest: Manifest, files: Files) -> RiverModel:
    """The model of a package with one file that ends in .json.

    Raises:
        Refused: the file names a class that is none of River's models. RuntimeFailure: it cannot be restored.
        Invalid: the signature or the options are not the model's.
    """
    options = options_of(manifest, Options)
    return RiverModel(restore(files[files.only(_SUFFIX)]), manifest.signature, options)


def restore(content: bytes | memoryview) -> Any:
    """The model as it was when it was stored; it can go on learning.

    Raises:
        Refused, RuntimeFailure: see `load`.
    """
    try:
        with damage_as_failure():
            model = reading.decode(content, RIVER)
    except BaseException as error:
        # River's parts in Rust say by a panic, which is no Exception, that their bytes are damaged.
        if type(error).__name__ != _PANIC:
            raise
        raise RuntimeFailure(f"river cannot restore the model: {first_line(error)}") from error
    if not isinstance(model, river.base.Estimator):
        raise RuntimeFailure(f"the file holds a {type(model).__name__}, a model of River expected")
    return model


class RiverModel:
    def __init__(self, model: Any, signature: Signature, options: Options) -> None:
        self._model = model
        self._answers = frames.Answers(signature, options.method, _METHODS, options.classes)
        self._classes = options.classes or ()
        self._columns = _columns(signature, options)

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """One array for each output of the signature, in its order.

        Raises:
            RuntimeFailure: the model raised, or its answers are not what the signature says.
        """
        with failing_as_runtime():
            rows = self._rows(feeds)
            return self._answers.arrays(lambda method: self._say(method, rows), len(rows))

    def _rows(self, feeds: Mapping[str, Array]) -> list[dict[str, Any]]:
        values = [self._values(name, feeds[name]) for name in self._columns]
        return [dict(zip(self._columns, row, strict=True)) for row in zip(*values, strict=True)]

    def _values(self, name: str, feed: Array) -> list[Any]:
        flat = feed.reshape(-1)
        return (flat.astype(bool) if self._columns[name] else flat).tolist()

    def _say(self, method: str, rows: list[dict[str, Any]]) -> Any:
        if method == "predict":
            return np.array([self._model.predict_one(row) for row in rows])
        said = (self._model.predict_proba_one(row) for row in rows)
        return np.array([[one.get(label, 0.0) for label in self._classes] for one in said], dtype=np.float64)


def _columns(signature: Signature, options: Options) -> dict[str, bool]:
    """Each input, and whether the model knows it as a boolean."""
    given = names(signature.inputs)
    if unknown := sorted(set(options.booleans) - set(given)):
        raise Invalid(f"the options speak of {', '.join(unknown)}; the inputs are {', '.join(given)}")
    if wide := [tensor.name for tensor in signature.inputs if tensor.shape[1:] not in ((), (1,))]:
        raise Invalid(f"inputs {', '.join(wide)} hold several values a row, and a River model takes one of each name")
    return {name: name in options.booleans for name in given}
