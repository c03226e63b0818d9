"""Run River models, which learn row by row, from the platform's own file of objects: no pickle, every number to the last bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import river.base

from lockgate.boundary.manifest import Manifest, Signature
from lockgate.boundary.objects import reading
from lockgate.boundary.objects.river import RIVER
from lockgate.boundary.river import PANIC, PREDICT, PROBABILITIES, Options, columns_of, row_of, say
from lockgate.runtimes import frames
from lockgate.runtimes.damage import damage_as_failure
from lockgate.runtimes.failures import failing_as_runtime, first_line
from lockgate.runtimes.model import Array, RuntimeFailure
from lockgate.runtimes.options import options_of
from lockgate.runtimes.package import Files

_SUFFIX = ".json"
_METHODS = (PREDICT, PROBABILITIES)


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
        if type(error).__name__ != PANIC:
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
        self._columns = columns_of(signature, options)

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """One array for each output of the signature, in its order.

        Raises:
            RuntimeFailure: the model raised, or its answers are not what the signature says.
        """
        with failing_as_runtime():
            rows = self._rows(feeds)
            return self._answers.arrays(lambda method: say(self._model, method, rows, self._classes), len(rows))

    def _rows(self, feeds: Mapping[str, Array]) -> list[dict[str, Any]]:
        values = [feeds[name].reshape(-1).tolist() for name in self._columns]
        return [row_of(self._columns, row) for row in zip(*values, strict=True)]
