"""Python of an author's own: a class that reads a file beside it, and a function."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lockgate.boundary.manifest import Tensor
from tests.contracts.runtime_models import flights
from tests.contracts.runtime_models.fixture import Fixture, Made, fixture

LIBRARY = None

CLASS = b"""
import json
from dataclasses import dataclass

import numpy as np


@dataclass
class Steepness:
    value: float


class Model:
    def __init__(self, folder):
        self.slope = Steepness(json.loads((folder / "data" / "slope.json").read_text())["slope"])

    def predict(self, columns):
        if (columns["hour"] > 24).any():
            raise ValueError("a day has 24 hours")
        columns["wind"] *= self.slope.value  # it is its own copy
        odds = columns["wind"] + columns["hour"] / 12 - (columns["carrier"] == "AA") - 1
        return 1 / (1 + np.exp(-odds))
"""
FUNCTION = b"""
def answers(columns):
    return {"sum": columns["distance"] + columns["wind"], "known": columns["distance"] > 500}
"""


def make(folder: Path) -> Fixture:
    given = flights.frame()[:60]
    odds = 2.5 * given["wind"] + given["hour"] / 12 - (given["carrier"] == "AA") - 1
    probability = (1 / (1 + np.exp(-odds))).to_numpy()
    probabilities = np.column_stack([1 - probability, probability]).astype(np.float32)
    outputs = ((flights.CLASSIFIED[0], probabilities.argmax(axis=1)), (flights.CLASSIFIED[1], probabilities))
    files = {"model.py": CLASS, "data/slope.json": json.dumps({"slope": 2.5}).encode()}
    options = {"method": ["argmax", "predict_proba"], "classes": [0, 1]}
    made = Made("python", files, flights.INPUTS, outputs, flights.rows(given), options, score_column=1)
    raising = {name: values[:1] for name, values in made.rows.items()} | {"hour": [25]}
    return fixture(folder, made, knows_names=False, raising=raising)


def function(folder: Path) -> Fixture:
    given = flights.frame()[["distance", "wind"]][:60]
    inputs = tuple(Tensor(name, "FP32", (-1, 1)) for name in given.columns)
    outputs = (
        (Tensor("known", "BOOL", (-1,)), (given["distance"] > 500).to_numpy()),
        (Tensor("sum", "FP64", (-1,)), (given["distance"] + given["wind"]).to_numpy()),
    )
    made = Made("python", {"model.py": FUNCTION}, inputs, outputs, flights.rows(given), {"entry": "answers"})
    return fixture(folder, made, knows_names=False)


MAKERS = (make, function)
