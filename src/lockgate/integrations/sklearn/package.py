"""From what a pipeline made to a package: the model in a form that was checked row by row, and what goes with it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from lockgate.boundary.manifest import Golden
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.data import Split
from lockgate.domain.evaluation import Evaluation, encode
from lockgate.domain.packages import Packaged
from lockgate.integrations.sklearn.conversion import CannotConvert
from lockgate.integrations.sklearn.estimator import estimator_of
from lockgate.integrations.sklearn.faithful import NotFaithful
from lockgate.integrations.sklearn.features import Features, columns, features_of
from lockgate.integrations.sklearn.forms import ONNX, Form, as_native, as_onnx
from lockgate.integrations.sklearn.judged import judged
from lockgate.integrations.sklearn.native import native as native_sklearn
from lockgate.integrations.sklearn.split_facts import split_facts
from lockgate.kernel.errors import Invalid, InvalidInput, MissingExtra
from lockgate.ports.executor import Packing
from lockgate.ports.natives import MakeNative
from lockgate.stages.build.packaging.golden import golden_rows, spread
from lockgate.stages.build.packaging.parity import Parity
from lockgate.stages.watch import reference

ASKED_ROWS = 2000  # held-out rows that both the original and its form are asked
_SLOWER = "in a process of its own, which takes longer than ONNX"
_AUTO = Packing()


def package(
    model: object, split: Split, evaluation: pd.DataFrame, label_event: LabelEvent | None, packing: Packing = _AUTO
) -> Packaged:
    """Package a fitted classifier of two classes, or a regressor.

    model: a scikit-learn estimator or Pipeline, or a model of a library that `packing.natives` knows, fitted on `split.x_train`.
    split: frames of features; every column becomes an input of shape (rows, 1). evaluation: see `judged.judged`. label_event: the
    event that production is judged by, if any.

    A form is refused unless it answers up to 2,000 held-out rows as the original does; 32 of them, with the original's scores, go
    along as golden rows. The same model gives the same bytes.

    Raises:
        Invalid: what cannot be packaged, why, and what to do. MissingExtra: a library is missing.
    """
    model = getattr(model, "best_estimator_", model)
    features = features_of(split)
    asked = features.held_out.iloc[spread(len(features.held_out), ASKED_ROWS)]
    form, notes = _form(model, features, asked, packing)
    held_out = judged(evaluation, classifier=len(form.signature.outputs) > 1)
    return Packaged(
        runtime=form.runtime,
        files=form.files,
        signature=form.signature,
        golden=_golden(asked, form.datatypes, form.parity),
        environment={"python": platform.python_version()} | form.environment,
        reference=_reference(features, held_out, label_event),
        evaluation=encode(held_out),
        held_out=_held_out(features, evaluation),
        options=form.options,
        requirements=() if form.runtime == ONNX else packing.requirements or form.requirements,
        notes=tuple(notes),
        split=split_facts(features, split.y_train, split.y_test),
    )


def _form(model: Any, features: Features, asked: pd.DataFrame, packing: Packing) -> tuple[Form, list[str]]:
    """The form that was asked for, and what is to be said about it."""
    library = _library(model, packing.natives)
    if library is None or isinstance(model, BaseEstimator):
        estimator = estimator_of(model)
    if library is not None:
        if packing.runtime == ONNX:
            raise Invalid(
                f"{type(model).__name__} is a model of {library}, which does not become ONNX here",
                hint="Set package.runtime to auto or native.",
            )
        return _native(_function(packing.natives[library]), model, features, asked, f"as {library} stores its models")
    if packing.runtime == "native":
        return _native(native_sklearn, model, features, asked, "as the project asks for")
    try:
        form = as_onnx(estimator, features, asked)
    except (InvalidInput, CannotConvert, NotFaithful) as failure:
        if packing.runtime == ONNX:
            raise
        return _instead_of_onnx(model, features, asked, failure)
    return form, ["its requirements are left out: ONNX needs none"] if packing.requirements else []


def _instead_of_onnx(model: Any, features: Features, asked: pd.DataFrame, failure: Invalid) -> tuple[Form, list[str]]:
    reason = "; ".join(map(str, failure.faults)) if isinstance(failure, InvalidInput) else failure.message
    try:
        return _native(native_sklearn, model, features, asked, f"because as ONNX it cannot: {reason}")
    except (Invalid, MissingExtra) as other:
        raise Invalid(
            f"the model becomes neither ONNX nor a skops file. ONNX: {reason}. skops: {other.message}",
            hint=other.hint or failure.hint,
        ) from other


def _native(make: MakeNative, model: Any, features: Features, asked: pd.DataFrame, why: str) -> tuple[Form, list[str]]:
    form = as_native(make(model, features.categories, features.dtypes), features, asked)
    return form, [f"{_SLOWER}, {why}", *([form.note] if form.note else [])]


def _library(model: Any, natives: Mapping[str, str]) -> str | None:
    """The library, or the module, that the model or what it derives from belongs to, if its own format is known."""
    modules = [kind.__module__ for kind in type(model).__mro__]
    return next((name for one in modules for name in natives if one == name or one.startswith(f"{name}.")), None)


def _function(name: str) -> MakeNative:
    """`module:function`"""
    module, _, function = name.partition(":")
    try:
        return cast("MakeNative", getattr(import_module(module), function))
    except ImportError as error:
        raise MissingExtra(f"packaging this model needs a library: {error}", hint="Install it where pipelines run.") from error


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
