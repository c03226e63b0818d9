"""What MLflow's own `save_model` writes: Python of an author's own, and models in the formats of their libraries."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read when it is imported

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of hints in its own code
    import mlflow.lightgbm
    import mlflow.pyfunc
    import mlflow.sklearn
    import mlflow.xgboost
    from mlflow.models import infer_signature

from tests.contracts.runtime_models import flights
from tests.contracts.runtime_models.fixture import Fixture, Made, columns, fixture

LIBRARY = "mlflow"
PythonModel: Any = import_module("mlflow.pyfunc").PythonModel

INPUTS = (*columns("hour", "INT64"), *columns("distance wind", "FP32"))


class Windy(PythonModel):  # type: ignore[misc]
    """Stored as a pickle."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        if (model_input["hour"] > 24).any():
            raise ValueError("a day has 24 hours")
        return model_input["hour"] / 24 + np.tanh(model_input["wind"])


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def saved(folder: Path, save: Callable[..., Any], **more: Any) -> dict[str, bytes]:
    """The folder's files; first the model's own, which is the one that the tests damage."""
    given = flights.frame()[flights.NUMBERS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of integers that might be missing one day
        save(path=str(folder), signature=infer_signature(given), pip_requirements=["numpy"], **more)
    files = files_of(folder)
    first = next(name for name in files if name.startswith(("model.", "python_model.")))
    return {first: files.pop(first), **files}


def make(folder: Path) -> Fixture:
    given = flights.frame()[flights.NUMBERS][:60]
    files = saved(folder / "saved", mlflow.pyfunc.save_model, python_model=Windy())
    answers = (given["hour"] / 24 + np.tanh(given["wind"])).to_numpy(dtype=np.float32).reshape(-1, 1)
    rows = flights.rows(given)
    made = Made("mlflow", files, INPUTS, ((flights.PREDICTED, answers),), rows, {"method": "predict"})
    return fixture(folder / "artifacts", made, raising={name: values[:1] for name, values in rows.items()} | {"hour": [25]})


def native(
    folder: Path, flavor: str, model: Callable[[], Any], save: Callable[..., Any], argument: str, **options: Any
) -> Fixture:
    given = flights.frame()
    fitted = model().fit(given[flights.NUMBERS], flights.late(given))
    files = saved(folder / "saved", save, **{argument: fitted})
    asked = given[flights.NUMBERS][:60]
    probabilities = np.asarray(fitted.predict_proba(asked)).astype(np.float32)
    outputs = ((flights.CLASSIFIED[0], probabilities.argmax(axis=1)), (flights.CLASSIFIED[1], probabilities))
    options = {"flavor": flavor, "method": ["argmax", "predict_proba"], **options}
    return fixture(folder / "artifacts", Made("mlflow", files, INPUTS, outputs, flights.rows(asked), options, score_column=1))


sklearn = partial(
    native,
    flavor="sklearn",
    model=lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    save=mlflow.sklearn.save_model,
    argument="sk_model",
)
xgb = partial(
    native,
    flavor="xgboost",
    model=partial(xgboost.XGBClassifier, n_estimators=8, n_jobs=1),
    save=mlflow.xgboost.save_model,
    argument="xgb_model",
    classes=[0, 1],
)
lgb = partial(
    native,
    flavor="lightgbm",
    model=partial(lightgbm.LGBMClassifier, n_estimators=8, n_jobs=1, verbose=-1),
    save=mlflow.lightgbm.save_model,
    argument="lgb_model",
)
MAKERS = (make, sklearn, xgb, lgb)
