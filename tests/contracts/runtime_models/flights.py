"""A little world that the tabular models of these tests are trained on: texts, whole numbers, numbers, and a label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lockgate.boundary.manifest import Tensor
from tests.contracts.runtime_models.fixture import columns

CARRIERS = ["UA", "AA", "ÜX"]
NUMBERS = ["hour", "distance", "wind"]
CLASSIFIED = (Tensor("label", "INT64", (-1,)), Tensor("probabilities", "FP32", (-1, 2)))
PREDICTED = Tensor("prediction", "FP32", (-1, 1))
INPUTS = (*columns("carrier", "BYTES"), *columns("hour", "INT64"), *columns("distance wind", "FP32"))


def frame(rows: int = 400) -> pd.DataFrame:
    """Numbers are such as 32 bits hold: what travels is what the model was trained on."""
    random = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "carrier": random.choice(CARRIERS, rows),
            "hour": random.integers(0, 24, rows),
            "distance": random.gamma(3, 300, rows).astype(np.float32).astype(float),
            "wind": random.normal(size=rows).astype(np.float32).astype(float),
        }
    )


def late(given: pd.DataFrame) -> Any:
    return ((given["wind"] + given["hour"] / 12 - (given["carrier"] == "AA")) > 1).astype(int).to_numpy()


def rows(given: pd.DataFrame, count: int = 60) -> dict[str, list[Any]]:
    return {str(name): given[name][:count].tolist() for name in given.columns}
