"""Models that have no conversion to ONNX: neighbours behind an encoder, boosted trees with categories, a matrix of one input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lockgate.boundary.manifest import Tensor
from tests.contracts.runtime_models import flights
from tests.contracts.runtime_models.fixture import Fixture, Made, columns, fixture

LIBRARY = "skops"


def make(folder: Path) -> Fixture:
    """Texts and numbers; an airline that it never saw makes it raise. Scaled with 32 bits its numbers would be others."""
    given = flights.frame()
    first = ColumnTransformer([("texts", OneHotEncoder(), ["carrier"]), ("floats", StandardScaler(), ["distance", "wind"])])
    model = make_pipeline(first, KNeighborsClassifier(5, weights="distance"))
    model.fit(given[60:], flights.late(given)[60:])
    unseen = {**flights.rows(given, 2), "carrier": ["UA", "Zeppelin"]}
    return fixture(folder, _classifier(model, given, flights.INPUTS, {}), raising=unseen)


def with_categories(folder: Path) -> Fixture:
    """A data frame with categories, booleans and 32-bit floats, and n_jobs that is not for us to follow."""
    plain = flights.frame().assign(weekend=flights.frame()["hour"] % 2)
    trained_on = plain.assign(
        carrier=pd.Categorical(plain["carrier"], categories=flights.CARRIERS),
        wind=plain["wind"].astype(np.float32),
        weekend=plain["weekend"].astype(bool),
    )
    model = HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype").fit(trained_on, flights.late(plain))
    options = {"categories": {"carrier": flights.CARRIERS}, "dtypes": {"wind": "float32", "weekend": "bool"}}
    inputs = (*flights.INPUTS, *columns("weekend", "INT64"))
    return fixture(folder, _classifier(model, trained_on, inputs, options, plain))


def of_a_matrix(folder: Path) -> Fixture:
    """One input of three numbers a row, 64 bits, as a model sees it that was trained on an array."""
    given = flights.frame()[flights.NUMBERS].to_numpy()
    model = RandomForestRegressor(5, n_jobs=-1, random_state=0).fit(given, given[:, 1] / 7)
    asked = given[:60]
    outputs = ((Tensor("prediction", "FP64", (-1, 1)), model.predict(asked).reshape(-1, 1)),)
    options = {"frame": "array", "method": "predict"}
    inputs = (Tensor("values", "FP64", (-1, 3)),)
    made = Made("sklearn", _files(model), inputs, outputs, {"values": asked.ravel().tolist()}, options)
    return fixture(folder, made, knows_names=False, tolerance=1e-9)  # threads add up in any order


MAKERS = (make, with_categories, of_a_matrix)


def _classifier(
    model: Any, given: pd.DataFrame, inputs: tuple[Tensor, ...], options: dict[str, Any], sent: pd.DataFrame | None = None
) -> Made:
    asked = given[:60]
    label, probabilities = flights.CLASSIFIED
    outputs = ((label, model.predict(asked)), (probabilities, model.predict_proba(asked).astype(np.float32)))
    options = {"method": ["argmax", "predict_proba"], **options}
    rows = flights.rows(given if sent is None else sent)
    return Made("sklearn", _files(model), inputs, outputs, rows, options, score_column=1)


def _files(model: Any) -> dict[str, bytes]:
    return {"model.skops": skops.io.dumps(model)}
