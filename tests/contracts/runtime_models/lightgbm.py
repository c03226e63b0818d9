"""A classifier with categories and named classes, and a regressor whose columns have spaces in their names."""

from __future__ import annotations

from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd

from lockgate.boundary.manifest import Tensor
from tests.contracts.runtime_models import flights
from tests.contracts.runtime_models.fixture import Fixture, Made, fixture

LIBRARY = "lightgbm"


def make(folder: Path) -> Fixture:
    plain = flights.frame()
    given = plain.assign(carrier=pd.Categorical(plain["carrier"], categories=flights.CARRIERS))
    labels = np.where(flights.late(plain), "too late", "on time")
    model = lightgbm.LGBMClassifier(n_estimators=12, verbose=-1, n_jobs=1).fit(given, labels)
    asked = given[:60]
    outputs = (
        (Tensor("label", "BYTES", (-1,)), np.asarray(model.predict(asked))),
        (flights.CLASSIFIED[1], np.asarray(model.predict_proba(asked)).astype(np.float32)),
    )
    options = {
        "method": ["argmax", "predict_proba"],
        "categories": {"carrier": flights.CARRIERS},
        "classes": ["on time", "too late"],
    }
    files = {"model.txt": model.booster_.model_to_string().encode()}
    return fixture(folder, Made("lightgbm", files, flights.INPUTS, outputs, flights.rows(plain), options, score_column=1))


def with_spaces(folder: Path) -> Fixture:
    """The signature names the columns in another order than the model does."""
    given = flights.frame()[flights.NUMBERS].rename(columns={"distance": "distance in miles"})
    model = lightgbm.LGBMRegressor(n_estimators=12, verbose=-1, n_jobs=1).fit(given, given["distance in miles"] / 7)
    inputs = tuple(Tensor(name, "FP32", (-1, 1)) for name in ("wind", "hour", "distance in miles"))
    outputs = ((Tensor("prediction", "FP64", (-1, 1)), np.asarray(model.predict(given[:60])).reshape(-1, 1)),)
    files = {"model.txt": model.booster_.model_to_string().encode()}
    return fixture(folder, Made("lightgbm", files, inputs, outputs, flights.rows(given)))


MAKERS = (make, with_spaces)
