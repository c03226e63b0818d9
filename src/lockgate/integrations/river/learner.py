"""A River model that goes on learning from where its package stands, and is put into a package again.

It is decoded from the platform's own file of objects as the data plane decodes it, asked by `boundary.river` as the data plane
asks it, and gives the same scores to the last bit. The same rows make the same bytes where texts have the same hashes: some of
River adds up in the order of a set, so whoever compares bytes runs under one PYTHONHASHSEED. Generators of NumPy's that a model
makes without a seed while it learns are not held fast (see `dice` for Python's).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any

import msgspec
import numpy as np
import river.base

from lockgate.boundary.manifest import Manifest, Signature, Tensor
from lockgate.boundary.objects.reading import decode
from lockgate.boundary.objects.river import RIVER
from lockgate.boundary.objects.writing import encode
from lockgate.boundary.river import ARGMAX, PANIC, PREDICT, PROBABILITIES, Options, columns_of, row_of, say
from lockgate.boundary.routes import is_true
from lockgate.boundary.tensors import DTYPES
from lockgate.integrations.river.dice import Dice, hand_out
from lockgate.kernel.errors import Invalid, LockgateError

_SUFFIX = ".json"
_TWO = 2
_LARGEST = float(np.finfo(np.float32).max)  # prediction ids keep scores as FP32
_LONGEST = 300


class RiverLearners:
    """Of the runtime `river`."""

    def open(self, manifest: Manifest, files: Mapping[str, bytes]) -> RiverLearner:
        """The model of a package with one file that ends in .json.

        Raises:
            Refused: the file names a class that is none of River's. Invalid: it cannot be restored, it tells other than two
            classes apart, or its options are not a River model's.
        """
        names = [name for name in files if name.endswith(_SUFFIX)]
        if len(names) != 1:
            raise Invalid(f"{len(names)} files of the package end in {_SUFFIX}, one expected", hint="Package the model anew.")
        try:
            options = msgspec.convert(manifest.options, Options)
        except msgspec.ValidationError as error:
            raise Invalid(f"options of a package for {manifest.runtime}: {error}", hint="Package the model anew.") from error
        with _failing("river cannot restore the model"):
            model = decode(files[names[0]], RIVER)
        if not isinstance(model, river.base.Classifier | river.base.Regressor):
            raise Invalid(f"the file holds a {type(model).__name__}, a classifier or regressor of River expected")
        return RiverLearner(model, names[0], manifest.signature, options)


class RiverLearner:
    """A ports.learners.Learner."""

    def __init__(self, model: Any, name: str, signature: Signature, options: Options) -> None:
        if options.classes is not None and len(options.classes) != _TWO:
            raise Invalid(f"the model tells {len(options.classes)} classes apart, two expected: a label is true or false")
        self._model = model
        self._name = name
        self._classes = options.classes
        self._columns = columns_of(signature, options)
        self._judged = _Judged(signature, options)
        self._dice = Dice()
        hand_out()

    def score(self, row: Mapping[str, Any]) -> float:
        with _failing("the model raised when it was asked"):
            return self._judged.score(self._model, self._row(row))

    def learn(self, row: Mapping[str, Any], label: float) -> None:
        with _failing("the model raised when it was to learn"), self._dice.thrown():
            truth = label if self._classes is None else self._classes[is_true(label)]
            self._model.learn_one(self._row(row), truth)

    def files(self) -> dict[str, bytes]:
        return {self._name: encode(self._model, RIVER)}

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        if missing := [name for name in self._columns if name not in row]:
            raise Invalid(f"the row has no {', '.join(missing)}; {', '.join(row)} found")
        return row_of(self._columns, (row[name] for name in self._columns))


class _Judged:
    """The one number of an answer that is judged: the data plane's, without what it answers beside."""

    def __init__(self, signature: Signature, options: Options) -> None:
        outputs = {tensor.name: tensor for tensor in signature.outputs}
        methods = options.method if isinstance(options.method, tuple) else (options.method,) * len(outputs)
        if len(methods) != len(outputs) or signature.score not in outputs:
            raise Invalid(
                f"methods {', '.join(methods)} for outputs {', '.join(outputs)}, of which {signature.score!r} is judged"
            )
        self._method = dict(zip(outputs, methods, strict=True))[signature.score]
        if self._method not in (PREDICT, PROBABILITIES, ARGMAX) or (self._method == ARGMAX and options.classes is None):
            raise Invalid(f"method {self._method} found, one of {PREDICT}, {PROBABILITIES}, {ARGMAX} (with classes) expected")
        self._classes = options.classes or ()
        self._dtype = _dtype(outputs[signature.score])
        self._column = signature.score_column if len(outputs[signature.score].shape) > 1 else 0

    def score(self, model: Any, row: Mapping[str, Any]) -> float:
        said = say(model, PROBABILITIES if self._method == ARGMAX else self._method, [row], self._classes)
        if self._method == ARGMAX:
            said = np.asarray(self._classes)[said.argmax(axis=1)]
        score = float(said.astype(self._dtype).reshape(-1)[self._column])
        if not (isfinite(score) and abs(score) <= _LARGEST):
            raise Invalid(f"a score is {score}, which is not a finite FP32 number")
        return score


def _dtype(tensor: Tensor) -> Any:
    if tensor.datatype not in DTYPES:
        raise Invalid(f"output {tensor.name!r} has datatype {tensor.datatype!r}; {', '.join(DTYPES)} expected")
    return DTYPES[tensor.datatype]


@contextmanager
def _failing(what: str) -> Iterator[None]:
    """Whatever River raises becomes one error of ours that begins with `what`; its models raise what they meet, of any type."""
    try:
        yield
    except LockgateError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise  # somebody wants the process to end
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:_LONGEST]
        raise Invalid(f"{what}: {type(error).__name__}: {reason}") from error
