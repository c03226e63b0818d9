"""Real scikit-learn models through ONNX: the same answers, the same bytes."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from lockgate.domain.evaluation import decode
from lockgate.integrations.onnxruntime.runtime import OnnxRuntime
from lockgate.integrations.sklearn.package import package
from lockgate.kernel.digest import digest_bytes
from lockgate.stages.build.packaging.parity import verify
from lockgate.stages.watch import reference
from tests.integration.packaging.examples import (
    EVENT,
    FRAME,
    LATE,
    MINUTES,
    NUMBERS,
    TRAIN,
    boosted,
    encoded,
    evaluation,
    logistic,
    mixed,
    packaged,
    split,
    stored,
)


@pytest.mark.parametrize(
    ("model", "labels"),
    [
        pytest.param(logistic(), LATE, id="logistic"),
        pytest.param(boosted(), LATE, id="boosted"),
        pytest.param(make_pipeline(encoded(scaled=False), RandomForestClassifier(20, random_state=0)), LATE, id="forest"),
        pytest.param(make_pipeline(mixed(), LogisticRegression()), LATE, id="mixed"),
        pytest.param(make_pipeline(encoded(scaled=True), CalibratedClassifierCV(LinearSVC())), LATE, id="calibrated"),
        pytest.param(logistic(), LATE.map({0: "on time", 1: "too late"}), id="named classes"),
        pytest.param(logistic(), LATE.astype(bool), id="boolean classes"),
        pytest.param(GridSearchCV(logistic(), {"logisticregression__C": [0.1, 1.0]}, cv=2), LATE, id="search"),
        pytest.param(make_pipeline(encoded(scaled=True), Ridge()), MINUTES, id="ridge"),
        pytest.param(
            make_pipeline(encoded(scaled=False), HistGradientBoostingRegressor(max_iter=30)), MINUTES, id="boosted regression"
        ),
        pytest.param(
            make_pipeline(encoded(scaled=False), RandomForestRegressor(10, max_depth=6)), MINUTES, id="forest regression"
        ),
    ],
)
def test_the_package_says_what_the_model_says(model: Any, labels: Any) -> None:
    examples = split(labels=labels)
    model.fit(examples.x_train, examples.y_train)
    frame = evaluation(model, examples).assign(label=LATE[TRAIN:] if hasattr(model, "predict_proba") else labels[TRAIN:])
    made = package(model, examples, frame, None)

    golden = made.golden
    assert len(golden.scores) == 32
    assert verify(golden, OnnxRuntime().scores(stored(made)[2], made.files, golden.inputs)).holds
    rows = pd.DataFrame(golden.inputs)
    rows["weekend"] = rows["weekend"].astype(bool)
    original = model.predict_proba(rows)[:, 1] if hasattr(model, "predict_proba") else model.predict(rows)
    assert golden.scores == pytest.approx(original)
    held_out = decode(made.evaluation)
    assert (golden.scores[0], min(golden.scores), max(golden.scores)) == pytest.approx(
        (held_out.prediction[0], min(held_out.prediction), max(held_out.prediction))
    )


def test_the_signature_names_each_feature_and_the_judged_column() -> None:
    signature = packaged(logistic(), split()).signature
    assert {tensor.name: tensor.datatype for tensor in signature.inputs} == {
        "carrier": "BYTES",
        "origin": "BYTES",
        "hour": "INT64",
        "distance": "FP32",
        "wind": "FP32",
        "weekend": "INT64",
    }
    assert {tensor.shape for tensor in signature.inputs} == {(-1, 1)}
    assert [(tensor.name, tensor.datatype, tensor.shape) for tensor in signature.outputs] == [
        ("label", "INT64", (-1,)),
        ("probabilities", "FP32", (-1, 2)),
    ]
    assert (signature.score, signature.score_column) == ("probabilities", 1)


def test_a_regressor_has_one_output() -> None:
    signature = packaged(make_pipeline(encoded(scaled=True), Ridge()), split(labels=MINUTES)).signature
    assert [(tensor.name, tensor.datatype, tensor.shape) for tensor in signature.outputs] == [("prediction", "FP32", (-1, 1))]
    assert (signature.score, signature.score_column) == ("prediction", 0)


def test_integers_become_floats_where_the_conversion_needs_one_type() -> None:
    signature = packaged(make_pipeline(mixed(), LogisticRegression()), split()).signature
    assert {tensor.name: tensor.datatype for tensor in signature.inputs}["hour"] == "FP32"


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(HistGradientBoostingClassifier(max_iter=20), id="trees"),
        pytest.param(make_pipeline(StandardScaler(), LogisticRegression()), id="scaler first"),
    ],
)
def test_a_model_of_whole_frames_takes_single_columns_too(model: Any) -> None:
    made = packaged(model, split(FRAME[NUMBERS]))
    assert [tensor.name for tensor in made.signature.inputs] == NUMBERS


def test_missing_floats_are_answered_and_kept_out_of_the_golden_rows() -> None:
    gaps = FRAME.assign(wind=FRAME["wind"].mask(FRAME.index % 3 == 0))
    made = packaged(boosted(), split(gaps))
    assert np.isfinite(made.golden.inputs["wind"]).all()
    assert len(made.golden.scores) == 32


def test_evaluation_reference_and_environment_go_along() -> None:
    made = packaged(logistic(), split())
    held_out = decode(made.evaluation)
    assert held_out.ids == [str(row) for row in range(TRAIN, len(FRAME))]
    assert set(held_out.slices["weekend"]) == {"True", "False"}
    learned = reference.decode(made.reference)
    assert learned.rows == TRAIN
    assert list(learned.features) == list(FRAME.columns)
    assert learned.performance.event == EVENT
    assert learned.performance.labels == len(held_out)
    assert {"python", "scikit-learn", "onnx", "skl2onnx"} <= set(made.environment)
    assert made.runtime == "onnx"


# The same model, the same bytes

_AGAIN = """
import pickle, sys
from lockgate.kernel.digest import digest_bytes
from lockgate.integrations.sklearn.package import package
for given in pickle.load(open(sys.argv[1], "rb")):
    print(digest_bytes(package(*given, None).files["model.onnx"]))
"""


def test_the_same_model_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    examples = split()
    given = []
    for model in (logistic(), boosted()):
        model.fit(examples.x_train, examples.y_train)
        given.append((model, examples, evaluation(model, examples)))
    path = tmp_path / "models"
    path.write_bytes(pickle.dumps(given))
    again = subprocess.run([sys.executable, "-c", _AGAIN, str(path)], capture_output=True, text=True, check=True, timeout=60)
    assert again.stdout.split() == [digest_bytes(package(*one, None).files["model.onnx"]) for one in given]


def test_nothing_in_the_bytes_follows_the_hash_seed() -> None:
    model = onnx.load_from_string(packaged(boosted(), split()).files["model.onnx"])
    domains = [entry.domain for entry in model.opset_import]
    assert domains == sorted(domains)
    assert len(domains) > 1
