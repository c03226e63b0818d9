"""The forms that a model can travel in, ONNX or its own library's format, each held against the original, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.integrations.sklearn.conversion import CannotConvert, convert
from lockgate.integrations.sklearn.estimator import Estimator, check_converts
from lockgate.integrations.sklearn.faithful import SHARE_ROUNDED, NotFaithful, check
from lockgate.integrations.sklearn.features import BYTES, FP32, FP64, INT64, Features
from lockgate.kernel.errors import Invalid, LockgateError
from lockgate.ports.natives import Native
from lockgate.stages.build.packaging.parity import Parity, compare, tolerance_for

ONNX = "onnx"
ONNX_FILE = "model.onnx"
LABEL, PROBABILITIES, PREDICTION = "label", "probabilities", "prediction"  # as the converter names them
_MADE_WITH = ("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy", "pandas")


@dataclass(frozen=True, slots=True)
class Form:
    """datatypes: what each feature travels as. parity: the original's answers to the rows that were asked, beside this form's."""

    runtime: str
    files: dict[str, bytes]
    signature: Signature
    datatypes: dict[str, str]
    parity: Parity
    environment: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)
    note: str | None = None
    requirements: tuple[str, ...] = ()


def as_onnx(estimator: Estimator, features: Features, asked: pd.DataFrame) -> Form:
    """The first way to convert whose answers agree. What is said when none does: a wrong answer tells more than a failure.

    Raises:
        InvalidInput, CannotConvert: the converter does not know a part, or this use of it. NotFaithful: its answers differ.
    """
    check_converts(estimator)
    expected = estimator.scores(asked)
    tolerance = tolerance_for(expected, probabilities=estimator.classifier)
    failures: list[CannotConvert | NotFaithful] = []
    for datatypes in _ways(features):
        try:
            converted = convert(estimator, datatypes, asked)
            parity = compare(expected, converted.scores, tolerance)
            check(parity, estimator, asked)
        except (CannotConvert, NotFaithful) as failure:
            failures.append(failure)
        else:
            made_with = {name: version(name) for name in _MADE_WITH}
            return Form(ONNX, {ONNX_FILE: converted.content}, converted.signature, datatypes, parity, made_with)
    raise next((failure for failure in failures if isinstance(failure, NotFaithful)), failures[0])


def as_native(native: Native, features: Features, asked: pd.DataFrame) -> Form:
    """The library's own format, whose answers are the original's to the last bit of the tolerance.

    Features travel as they would to ONNX, so that a model's callers need not know in which form it came; only where 32 bits
    would change more than one answer in a hundred do floats travel with 64.

    Raises:
        NotFaithful: read back from the files, the model says something else.
    """
    expected = _expected(native, asked)
    tolerance = tolerance_for(expected, probabilities=native.classes is not None)
    wide = {name: FP64 if datatype == FP32 else datatype for name, datatype in features.datatypes.items()}
    exact = compare(expected, native.again(features.served(asked, wide)), tolerance)
    if not exact.holds:
        raise NotFaithful(
            f"the model, stored and read back, does not say what the original says: {exact}",
            hint="See whether it answers the same rows the same way twice, and takes the split's columns as they are.",
        )
    rounded = compare(expected, native.again(features.served(asked, features.datatypes)), tolerance)
    moved = int(np.count_nonzero(~rounded.kept))
    narrow = moved <= SHARE_ROUNDED * len(asked)
    note = None if narrow else f"floats travel as FP64: as FP32 they change the answers to {moved:,} of {len(asked):,} rows"
    return Form(
        runtime=native.runtime,
        files=native.files,
        signature=_signature(native, features.datatypes if narrow else wide),
        datatypes=features.datatypes if narrow else wide,
        parity=rounded if narrow else exact,
        environment=native.environment,
        options=native.options | _method(native, asked),
        note=note,
        requirements=native.requirements,
    )


def _expected(native: Native, asked: pd.DataFrame) -> NDArray[np.float64]:
    try:
        return native.original(asked)
    except LockgateError:
        raise
    except Exception as error:
        # Libraries' errors share no base but Exception.
        raise Invalid(
            f"the model cannot answer the held-out rows of the split: {str(error).strip().partition(chr(10))[0]}",
            hint="Train on split.x_train as it is, so that the model takes the same columns.",
        ) from error


def _ways(features: Features) -> Iterator[dict[str, str]]:
    """Integers as integers; then, since some parts take numbers of one type only, integers as floats."""
    yield features.datatypes
    if features.names(INT64):
        yield {name: FP32 if datatype == INT64 else datatype for name, datatype in features.datatypes.items()}


def _signature(native: Native, datatypes: dict[str, str]) -> Signature:
    """The same outputs as those of a conversion."""
    inputs = tuple(Tensor(name, datatype, (-1, 1)) for name, datatype in datatypes.items())
    if native.classes is None:
        outputs: tuple[Tensor, ...] = (Tensor(PREDICTION, FP32, (-1, 1)),)
    else:
        numbers = all(isinstance(one, int | np.integer | np.bool_) for one in native.classes)
        outputs = (Tensor(LABEL, INT64 if numbers else BYTES, (-1,)), Tensor(PROBABILITIES, FP32, (-1, 2)))
    if taken := {tensor.name for tensor in outputs} & set(datatypes):
        raise Invalid(
            f"features are named {', '.join(sorted(taken))}, and so are outputs of the package",
            hint="Name these columns otherwise in the step that makes the split.",
        )
    return Signature(inputs, outputs, score=outputs[-1].name, score_column=0 if native.classes is None else 1)


def _method(native: Native, asked: pd.DataFrame) -> dict[str, Any]:
    """The label is the more probable class, which costs nothing; only where the model itself says otherwise is it asked."""
    if native.classes is None:
        return {"method": "predict"}
    if native.labels is None:
        return {"method": ["argmax", "predict_proba"], "classes": [_plain(one) for one in native.classes]}
    classes = np.asarray(native.classes)
    probable = classes[(native.original(asked) > 0.5).astype(int)]  # noqa: PLR2004
    agree = bool(np.array_equal(probable, np.asarray(native.labels(asked))))
    return {"method": ["argmax" if agree else "predict", "predict_proba"]}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
