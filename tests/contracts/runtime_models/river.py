"""A pipeline with texts and booleans, trees, a forest, and a regressor: each learned row by row, as River's users do."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from river import compose, forest, linear_model, naive_bayes, preprocessing, tree

from lockgate.boundary.manifest import Tensor
from lockgate.boundary.objects.river import RIVER
from lockgate.boundary.objects.writing import encode
from tests.contracts.runtime_models import flights
from tests.contracts.runtime_models.fixture import Fixture, Made, columns, fixture

LIBRARY = "river"
GaussianNB: Any = naive_bayes.GaussianNB  # River types its models in part
FILE = "model.river.json"
_CLASSIFIED = (Tensor("label", "INT64", (-1,)), Tensor("probabilities", "FP64", (-1, 2)))
_INPUTS = (*columns("carrier", "BYTES"), *columns("hour weekend", "INT64"), *columns("distance wind", "FP32"))


def rows_of(count: int = 400) -> list[dict[str, Any]]:
    given = flights.frame(count).assign(weekend=lambda frame: frame["hour"] % 7 == 0)
    return [{str(name): value for name, value in row.items()} for row in given.to_dict("records")]


def late(row: dict[str, Any]) -> bool:
    return bool(row["wind"] + row["hour"] / 12 - (row["carrier"] == "AA") > 1)


def learned(model: Any, rows: list[dict[str, Any]]) -> Any:
    for row in rows:
        model.learn_one(row, late(row))
    return model


def linear() -> Any:
    """A one-hot encoding of what is true or false as well: it tells True from 1."""
    words = compose.Select("carrier", "weekend") | preprocessing.OneHotEncoder()
    numbers = compose.Select("hour", "distance", "wind") | preprocessing.StandardScaler()
    return (words + numbers) | linear_model.LogisticRegression()


def bayes() -> Any:
    return compose.Select("hour", "distance", "wind") | GaussianNB()


def make(folder: Path) -> Fixture:
    """River sums here in the order of a set, which is another one after each load: the last bits differ."""
    return _classifier(folder, linear(), tolerance=1e-12)


def _classifier(folder: Path, model: Any, tolerance: float = 1e-12) -> Fixture:
    # Some of River adds up in the order of a set: the last bits differ from one process, and from one copy, to the next.
    rows = rows_of()
    learned(model, rows)
    probabilities = np.array([[model.predict_proba_one(row).get(label, 0.0) for label in (False, True)] for row in rows[:60]])
    outputs = ((_CLASSIFIED[0], probabilities.argmax(axis=1)), (_CLASSIFIED[1], probabilities))
    options = {"method": ["argmax", "predict_proba"], "classes": [False, True], "booleans": ["weekend"]}
    asked = {tensor.name: [row[tensor.name] for row in rows[:60]] for tensor in _INPUTS}
    asked["weekend"] = [int(value) for value in asked["weekend"]]
    made = Made("river", {FILE: encode(model, RIVER)}, _INPUTS, outputs, asked, options, score_column=1)
    return fixture(folder, made, knows_names=False, tolerance=tolerance)


def regressor(folder: Path) -> Fixture:
    model = preprocessing.StandardScaler() | linear_model.LinearRegression()
    rows = [{name: row[name] for name in ("distance", "wind")} for row in rows_of()]
    for row in rows:
        model.learn_one(row, row["distance"] / 7 + row["wind"])
    answers = np.array([[model.predict_one(row)] for row in rows[:60]])
    asked = {name: [row[name] for row in rows[:60]] for name in ("distance", "wind")}
    inputs = columns("distance wind", "FP64")
    made = Made("river", {FILE: encode(model, RIVER)}, inputs, ((Tensor("prediction", "FP64", (-1, 1)), answers),), asked)
    return fixture(folder, made, knows_names=False)


MAKERS = (
    make,
    regressor,
    *(
        partial(lambda folder, model: _classifier(folder, model()), model=model)
        for model in (
            partial(tree.HoeffdingTreeClassifier, grace_period=40),
            partial(forest.ARFClassifier, n_models=3, seed=4),
            bayes,
        )
    ),
)
