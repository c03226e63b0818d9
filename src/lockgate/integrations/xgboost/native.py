"""An XGBoost model as UBJSON, its own format: XGBClassifier, XGBRegressor and what derives from them, or a Booster."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from lockgate.kernel.errors import Invalid
from lockgate.ports.natives import Native

RUNTIME = "xgboost"
MODEL_FILE = "model.ubj"
_PROBABILITY = "binary:logistic"
# Classes without probabilities, several numbers a row, or an order and no number: nothing that one score could be judged by.
_NO_SCORE = ("binary:hinge", "binary:logitraw", "multi:", "rank:", "survival:")


def native(model: Any, categories: Mapping[str, Sequence[Any]], dtypes: Mapping[str, str]) -> Native:
    """The model as XGBoost stores it. `dtypes` does not matter: XGBoost makes 32-bit floats of all.

    Raises:
        Invalid: it gives no single score.
    """
    del dtypes
    booster = model if isinstance(model, xgboost.Booster) else model.get_booster()
    classifier = _is_classifier(booster)
    content = bytes(booster.save_raw("ubj"))
    options = _options(model, categories)
    return Native(
        runtime=RUNTIME,
        files={MODEL_FILE: content},
        classes=(0, 1) if classifier else None,
        options=options,
        environment={"xgboost": xgboost.__version__, "numpy": np.__version__},
        original=lambda rows: _original(model, rows, classifier=classifier),
        again=lambda rows: _predicted(_read(content), rows, options),
    )


def _is_classifier(booster: xgboost.Booster) -> bool:
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    if objective.startswith(_NO_SCORE):
        raise Invalid(
            f"an XGBoost model with the objective {objective} gives no score that could be judged",
            hint=f"Train it with {_PROBABILITY} to tell one class from all others, or with a regression's objective.",
        )
    return bool(objective == _PROBABILITY)


def _options(model: Any, categories: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """What the file does not say: levels of categories, rounds that count, the number that stands for a missing one."""
    options: dict[str, Any] = {"categories": {name: list(levels) for name, levels in categories.items()}} if categories else {}
    if isinstance(model, xgboost.Booster):
        return options
    if model.get_booster().attr("best_iteration") is not None:
        options["iterations"] = int(model.best_iteration) + 1
    if model.missing is not None and not math.isnan(model.missing):
        options["missing"] = float(model.missing)
    return options


def _original(model: Any, rows: pd.DataFrame, *, classifier: bool) -> NDArray[np.float64]:
    if isinstance(model, xgboost.Booster):
        return _predicted(model, rows, {})
    answers = model.predict_proba(rows)[:, 1] if classifier else model.predict(rows)
    return np.asarray(answers, dtype=np.float64)


def _predicted(booster: xgboost.Booster, rows: pd.DataFrame, options: Mapping[str, Any]) -> NDArray[np.float64]:
    """As from a matrix where the model knows no names."""
    given: Any = rows if booster.feature_names is not None else rows.to_numpy(dtype=np.float32)
    matrix = xgboost.DMatrix(given, enable_categorical=True, missing=options.get("missing", np.nan), nthread=1)
    answers = booster.predict(matrix, iteration_range=(0, options.get("iterations", 0)))
    if answers.ndim > 1 and answers.shape[1] != 1:
        raise Invalid(f"the model predicts {answers.shape[1]} numbers a row, one expected")
    return np.asarray(answers, dtype=np.float64).reshape(-1)


def _read(content: bytes) -> xgboost.Booster:
    booster = xgboost.Booster()
    booster.load_model(bytearray(content))
    return booster
