"""The models that everybody serves, as fitted by scikit-learn, and the rows that everybody is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from lockgate.integrations.sklearn.conversion import Converted, convert
from lockgate.integrations.sklearn.estimator import Estimator

NUMBERS = tuple(f"x{n}" for n in range(10))
TEXTS = {"carrier": ("AA", "B6", "DL", "EV", "UA", "US"), "origin": ("EWR", "JFK", "LGA")}
TRAINED_ON = 4000  # rows
Rows = pd.DataFrame
_NEARBY = 1e-6  # relative and absolute: more than the rounding of a conversion


@dataclass(frozen=True, slots=True)
class Served:
    """A fitted classifier of two classes. `datatypes`: its features, in order, as the Open Inference Protocol calls them.

    estimator: fitted on plain arrays if all is numbers, since most servers hand over such, and names would earn each a warning.
    """

    name: str
    title: str
    estimator: Any
    datatypes: dict[str, str]

    @property
    def numeric(self) -> bool:
        return "BYTES" not in self.datatypes.values()

    def rows(self, count: int, seed: int = 11) -> Rows:
        """Rows whose answer does not hang on the last bit of a number: some servers read FP32, some FP64.

        Numbers have four decimals, so that everybody sends the same text for them.
        """
        drawn = _drawn(count + count // 10 + 10, seed)[list(self.datatypes)]
        drawn = drawn.assign(**{name: drawn[name].round(4) for name in self._numbers()})
        return drawn[self._steady(drawn)].iloc[:count].reset_index(drop=True)

    def probabilities(self, rows: Rows) -> NDArray[np.float64]:
        """Of class 1, one for each row: what every server must say."""
        asked = rows.to_numpy() if self.numeric else rows
        answers: NDArray[np.float64] = self.estimator.predict_proba(asked)[:, 1]
        return answers

    def framed(self) -> Any:
        """The same model, fitted on a data frame with names."""
        data, late = _training()
        return clone(self.estimator).fit(data[list(self.datatypes)], late)

    def converted(self) -> Converted:
        """As ONNX, by the converter of `lockgate run`: one input of shape (rows, 1) for each feature."""
        return convert(Estimator(self.estimator, classifier=True), self.datatypes, self.rows(100))

    def kept(self, folder: Path) -> Path:
        """As scikit-learn's documentation keeps it: joblib."""
        path = folder / "model.joblib"
        joblib.dump(self.estimator, path)
        return path

    def _numbers(self) -> list[str]:
        return [name for name, datatype in self.datatypes.items() if datatype != "BYTES"]

    def _steady(self, rows: Rows) -> NDArray[np.bool_]:
        here = self.probabilities(rows)
        near = [self._moved(rows, by) for by in (-_NEARBY, 0.0, _NEARBY)]
        steady: NDArray[np.bool_] = np.max([np.abs(one - here) for one in near], axis=0) < _NEARBY
        return steady

    def _moved(self, rows: Rows, by: float) -> NDArray[np.float64]:
        """The answers to the four decimals as FP64, a little further on."""
        values = {name: rows[name].astype(np.float64).round(4) for name in self._numbers()}
        return self.probabilities(rows.assign(**{name: value + by * (1 + value.abs()) for name, value in values.items()}))


def _drawn(count: int, seed: int) -> Rows:
    chance = np.random.default_rng(seed)
    numbers = {name: chance.normal(size=count).astype(np.float32) for name in NUMBERS}
    return pd.DataFrame(numbers | {name: chance.choice(values, size=count) for name, values in TEXTS.items()})


def _training() -> tuple[Rows, Any]:
    """Numbers to the last digit: a tree's thresholds then lie between the four decimals that are asked about."""
    data = _drawn(TRAINED_ON, 7)
    chance = np.random.default_rng(8).normal(size=TRAINED_ON)
    return data, (data["x0"] + 0.5 * data["x1"] * data["x2"] + (data["carrier"] == "EV") + 0.5 * chance > 0.5).astype(int)


def _fitted(estimator: Any, features: Sequence[str]) -> Any:
    data, late = _training()
    given = data[list(features)]
    return estimator.fit(given if set(features) & set(TEXTS) else given.to_numpy(), late)


def _linear() -> Served:
    pipeline = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())])
    return Served("linear", "logistic regression", _fitted(pipeline, NUMBERS), dict.fromkeys(NUMBERS, "FP32"))


def _forest() -> Served:
    pipeline = Pipeline([("scale", StandardScaler()), ("model", RandomForestClassifier(n_estimators=100, random_state=0))])
    return Served("forest", "random forest, 100 trees", _fitted(pipeline, NUMBERS), dict.fromkeys(NUMBERS, "FP32"))


def _flights() -> Served:
    """Eight numbers and two texts behind an encoder, gradient-boosted trees: what a team would serve."""
    features = (*NUMBERS[:8], *TEXTS)
    encoder = ColumnTransformer([("texts", OrdinalEncoder(), list(TEXTS))], remainder="passthrough")
    pipeline = Pipeline([("encode", encoder), ("model", HistGradientBoostingClassifier(max_iter=60, random_state=0))])
    datatypes = dict.fromkeys(NUMBERS[:8], "FP32") | dict.fromkeys(TEXTS, "BYTES")
    return Served("flights", "gradient-boosted trees, numbers and texts", _fitted(pipeline, features), datatypes)


_MAKERS = {"linear": _linear, "forest": _forest, "flights": _flights}
NAMES = tuple(_MAKERS)


@cache
def served(name: str) -> Served:
    return _MAKERS[name]()
