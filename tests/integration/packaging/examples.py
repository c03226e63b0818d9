"""Flights that may be late, models that learn from them, and what becomes of these models as packages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lockgate import Split
from lockgate.boundary.manifest import File, Lineage, Manifest, encode
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.packages import Packaged
from lockgate.integrations.sklearn.package import package
from lockgate.kernel.errors import Invalid
from lockgate.ports.executor import Packing
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.wiring.pipelines import NATIVES

TRAIN = 900
TEXTS, NUMBERS = ["carrier", "origin"], ["hour", "distance", "wind"]
EVENT = LabelEvent("missed", 0.3)


def world() -> tuple[pd.DataFrame, pd.Series[Any]]:
    random = np.random.default_rng(4)
    n = 1_300
    frame = pd.DataFrame(
        {
            "carrier": random.choice(["AA", "UA", "ÜX"], n),
            "origin": pd.Categorical(random.choice(["EWR", "JFK"], n)),
            "hour": random.integers(0, 24, n),
            "distance": random.gamma(3, 300, n),
            "wind": random.normal(size=n),
            "weekend": random.random(n) < 0.3,
        }
    )
    odds = frame["wind"] + frame["hour"] / 12 - (frame["carrier"] == "AA") - 1
    return frame, pd.Series((random.random(n) < 1 / (1 + np.exp(-odds))).astype(int))


FRAME, LATE = world()
MINUTES = FRAME["distance"] / 7 + 10 * FRAME["wind"]


def split(frame: pd.DataFrame = FRAME, labels: Any = LATE) -> Split:
    return Split(frame[:TRAIN], labels[:TRAIN], frame[TRAIN:], labels[TRAIN:])


def evaluation(model: Any, examples: Split) -> pd.DataFrame:
    scores = model.predict_proba(examples.x_test)[:, 1] if hasattr(model, "predict_proba") else model.predict(examples.x_test)
    return pd.DataFrame({"prediction": scores, "label": examples.y_test, "weekend": FRAME["weekend"][TRAIN:]})


def packaged(model: Any, examples: Split, runtime: Any = "auto") -> Packaged:
    model.fit(examples.x_train, examples.y_train)
    event = EVENT if hasattr(model, "predict_proba") else None
    return package(model, examples, evaluation(model, examples), event, Packing(runtime=runtime, natives=NATIVES))


def encoded(*, scaled: bool) -> ColumnTransformer:
    numbers = StandardScaler() if scaled else "passthrough"
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer([("texts", encoder, TEXTS), ("numbers", numbers, NUMBERS)], remainder="passthrough")


def mixed() -> ColumnTransformer:
    """An integer column as a category, and again among floats: it cannot be an integer tensor."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer(
        [("texts", OneHotEncoder(handle_unknown="ignore"), ["carrier", "hour"]), ("numbers", numbers, NUMBERS)]
    )


def logistic() -> Pipeline:
    return make_pipeline(encoded(scaled=True), LogisticRegression(max_iter=500))


def boosted() -> Pipeline:
    return make_pipeline(encoded(scaled=False), HistGradientBoostingClassifier(max_iter=30, random_state=0))


class Doubled(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, _x: Any, _y: Any = None) -> Doubled:
        self.fitted_ = True
        return self

    def transform(self, x: Any) -> Any:
        return x * 2


class MyForest(RandomForestClassifier):  # type: ignore[misc]
    """Nobody knows how to convert it."""


def refusal(model: Any, examples: Any = None, frame: Any = None, *, fit: bool = True, runtime: Any = "onnx") -> Invalid:
    examples = examples or split()
    if fit:
        model.fit(examples.x_train, examples.y_train)
    judged = frame if frame is not None else evaluation(model, examples)
    with pytest.raises(Invalid) as caught:
        package(model, examples, judged, None, Packing(runtime=runtime, natives=NATIVES))
    assert caught.value.hint, "every refusal says what to do"
    return caught.value


def stored(made: Packaged, **changes: Any) -> tuple[MemoryArtifacts, str, Manifest]:
    artifacts = MemoryArtifacts()
    files = tuple(File(name, artifacts.put(content), len(content)) for name, content in made.files.items())
    lineage = Lineage("run-1", None, dirty=False, author="ada", data={}, params={})
    golden = changes.get("golden", made.golden)
    manifest = Manifest("flights", made.runtime, files, made.signature, golden, lineage, options=made.options)
    return artifacts, artifacts.put(encode(manifest)), manifest
