"""A classifier with categories, a linear model of a plain matrix, and one that stopped early, with 0 for what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xgboost

from tests.contracts.runtime_models import flights
from tests.contracts.runtime_models.fixture import Fixture, Made, columns, fixture

LIBRARY = "xgboost"


def make(folder: Path) -> Fixture:
    plain = flights.frame()
    given = plain.assign(carrier=pd.Categorical(plain["carrier"], categories=flights.CARRIERS))
    model = xgboost.XGBClassifier(n_estimators=12, max_depth=4, enable_categorical=True, n_jobs=1)
    model.fit(given, flights.late(plain))
    asked = given[:60]
    label, probabilities = flights.CLASSIFIED
    outputs = ((label, model.predict(asked)), (probabilities, model.predict_proba(asked)))
    options = {"method": ["argmax", "predict_proba"], "categories": {"carrier": flights.CARRIERS}}
    files = {"model.ubj": bytes(model.get_booster().save_raw("ubj"))}
    return fixture(folder, Made("xgboost", files, flights.INPUTS, outputs, flights.rows(plain), options, score_column=1))


def linear(folder: Path) -> Fixture:
    given = flights.frame()[flights.NUMBERS]
    model = xgboost.XGBRegressor(booster="gblinear", n_estimators=5, n_jobs=1)
    model.fit(given.to_numpy(), given["distance"] / 7)
    files = {"model.json": bytes(model.get_booster().save_raw("json"))}
    outputs = ((flights.PREDICTED, model.predict(given[:60].to_numpy()).reshape(-1, 1)),)
    made = Made("xgboost", files, columns("hour distance wind", "FP32"), outputs, flights.rows(given))
    return fixture(folder, made, knows_names=False)


def stopped_early(folder: Path) -> Fixture:
    """Of the rounds that were trained only the best one and those before it count. A flight at midnight has no known hour."""
    given = flights.frame()[flights.NUMBERS]
    label = np.where(given["hour"] == 0, 3.0, given["wind"] > 0)
    model = xgboost.XGBRegressor(n_estimators=40, learning_rate=1.0, early_stopping_rounds=3, missing=0.0, n_jobs=1)
    model.fit(given[:200], label[:200], eval_set=[(given[200:], label[200:])], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    files = {"model.ubj": bytes(model.get_booster().save_raw("ubj"))}
    outputs = ((flights.PREDICTED, model.predict(given[:60]).reshape(-1, 1)),)
    options = {"iterations": model.best_iteration + 1, "missing": 0.0}
    return fixture(folder, Made("xgboost", files, columns("wind distance hour", "FP32"), outputs, flights.rows(given), options))


MAKERS = (make, linear, stopped_early)
