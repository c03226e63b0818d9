"""From what a pipeline made to a package: the model as ONNX, checked row by row against the original, and what goes with it."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from lockgate.boundary.manifest import Golden
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.data import Split
from lockgate.domain.evaluation import Evaluation, encode
from lockgate.domain.packages import Packaged
from lockgate.integrations.sklearn.conversion import CannotConvert, Converted, convert
from lockgate.integrations.sklearn.estimator import Estimator, estimator_of
from lockgate.integrations.sklearn.faithful import NotFaithful, check
from lockgate.integrations.sklearn.features import FP32, INT64, Features, columns, features_of
from lockgate.integrations.sklearn.judged import judged
from lockgate.kernel.errors import Invalid
from lockgate.stages.build.packaging.golden import golden_rows, spread
from lockgate.stages.build.packaging.parity import Parity, compare, tolerance_for
from lockgate.stages.watch import reference

RUNTIME = "onnx"
MODEL_FILE = "model.onnx"
ASKED_ROWS = 2000  # held-out rows that both the original and the conversion are asked
_MADE_WITH = ("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy", "pandas")


def package(model: object, split: Split, evaluation: pd.DataFrame, label_event: LabelEvent | None) -> Packaged:
    """Package a fitted scikit-learn classifier of two classes, or a regressor.

    model: the estimator or Pipeline, fitted on `split.x_train`. split: frames of features; every column becomes an input of shape
    (rows, 1). evaluation: see `judged.judged`. label_event: the event that production is judged by, if any.

    The conversion is refused unless it answers up to 2,000 held-out rows as the original does (`faithful`); 32 of them, with the
    original's scores, go along as golden rows. The same model gives the same bytes.

    Raises:
        Invalid: what cannot be packaged, why, and what to do.
    """
    estimator = estimator_of(model)
    features = features_of(split)
    held_out = judged(evaluation, classifier=estimator.classifier)
    asked = features.held_out.iloc[spread(len(features.held_out), ASKED_ROWS)]
    converted, parity, datatypes = _faithful_conversion(estimator, features, asked)
    return Packaged(
        runtime=RUNTIME,
        files={MODEL_FILE: converted.content},
        signature=converted.signature,
        golden=_golden(asked, datatypes, parity),
        environment=_environment(),
        reference=_reference(features, held_out, label_event),
        evaluation=encode(held_out),
        held_out=_held_out(features, evaluation),
    )


def _faithful_conversion(
    estimator: Estimator, features: Features, asked: pd.DataFrame
) -> tuple[Converted, Parity, dict[str, str]]:
    """The first way to convert whose answers agree. What is said when none does: a wrong answer tells more than a failure."""
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
            return converted, parity, datatypes
    raise next((failure for failure in failures if isinstance(failure, NotFaithful)), failures[0])


def _ways(features: Features) -> Iterator[dict[str, str]]:
    """Integers as integers; then, since some parts take numbers of one type only, integers as floats."""
    yield features.datatypes
    if features.names(INT64):
        yield {name: FP32 if datatype == INT64 else datatype for name, datatype in features.datatypes.items()}


def _golden(asked: pd.DataFrame, datatypes: dict[str, str], parity: Parity) -> Golden:
    complete = asked.notna().all(axis=1).to_numpy()
    rows = golden_rows(parity.expected, complete & parity.kept)
    if len(rows) == 0:
        raise Invalid(
            f"none of {len(asked):,} held-out rows is complete, and a request with missing values is refused in serving",
            hint="Fill missing values in the step that makes the split.",
        )
    chosen = columns(asked.iloc[rows], datatypes)
    inputs = {name: np.asarray(values, dtype=object).tolist() for name, values in chosen.items()}
    return Golden(inputs, parity.expected[rows].tolist(), parity.tolerance)


def _reference(features: Features, held_out: Evaluation, label_event: LabelEvent | None) -> bytes:
    learned = reference.learn(
        columns(features.train, features.datatypes), np.array(held_out.prediction), np.array(held_out.label), label_event
    )
    return reference.encode(learned)


def _held_out(features: Features, evaluation: pd.DataFrame) -> dict[str, list[Any]]:
    if not features.held_out.index.equals(evaluation.index):
        return {}
    values = columns(features.held_out, features.datatypes)
    return {name: np.asarray(value, dtype=object).tolist() for name, value in values.items()}


def _environment() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in _MADE_WITH}
