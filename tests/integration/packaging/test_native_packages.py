"""Models that travel in their own library's format: the same answers from the data plane's runtime, the same bytes, and why."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from lockgate.boundary.manifest import encode
from lockgate.domain.packages import Packaged
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.integrations.sklearn.package import package
from lockgate.kernel.digest import digest_bytes
from lockgate.ports.executor import Packing
from lockgate.serving.isolation.ask import Question, answer
from lockgate.wiring.pipelines import NATIVES
from tests.integration.packaging.examples import (
    EVENT,
    FRAME,
    LATE,
    MINUTES,
    NUMBERS,
    TEXTS,
    TRAIN,
    Doubled,
    boosted,
    encoded,
    evaluation,
    logistic,
    packaged,
    refusal,
    split,
    stored,
)

CATEGORIES = FRAME.assign(carrier=pd.Categorical(FRAME["carrier"], categories=["ÜX", "UA", "AA"]), origin=FRAME["origin"])


def logged() -> Any:
    """A function in the middle: it is Python, and no ONNX."""
    rest = ("rest", "passthrough", ["hour", "weekend"])
    first = ColumnTransformer([("log", FunctionTransformer(np.log1p), ["distance"]), rest])
    return make_pipeline(first, StandardScaler(), LogisticRegression())


def with_categories() -> Any:
    return HistGradientBoostingClassifier(max_iter=20, categorical_features="from_dtype", random_state=0)


def xgb(**options: Any) -> Any:
    return xgboost.XGBClassifier(n_estimators=15, max_depth=4, enable_categorical=True, n_jobs=1, **options)


def lgbm(**options: Any) -> Any:
    return lightgbm.LGBMClassifier(n_estimators=15, verbose=-1, n_jobs=1, **options)


def answers_as_stored(made: Packaged, folder: Path) -> None:
    """Its golden rows, asked of the data plane; here and not in a process of its own, which would take seconds for each."""
    manifest, store = stored(made)[2], LocalArtifacts(folder)
    for content in made.files.values():
        store.put(content)
    said = answer(Question(str(folder), store.put(encode(manifest)), manifest.golden.inputs, 60.0, ""))
    assert said.error is None
    assert said.scores == pytest.approx(manifest.golden.scores, abs=manifest.golden.tolerance)


@pytest.mark.parametrize(
    ("model", "frame", "labels", "runtime"),
    [
        pytest.param(logged(), FRAME, LATE, "sklearn", id="function"),
        pytest.param(with_categories(), CATEGORIES, LATE.map({0: "on time", 1: "too late"}), "sklearn", id="categories"),
        pytest.param(xgb(), CATEGORIES, LATE, "xgboost", id="xgboost"),
        pytest.param(xgboost.XGBRegressor(n_estimators=5, missing=0.0), FRAME[NUMBERS], MINUTES, "xgboost", id="xgboost missing"),
        pytest.param(lgbm(), CATEGORIES, LATE.map({0: "on time", 1: "too late"}), "lightgbm", id="lightgbm"),
    ],
)
def test_the_data_plane_says_what_the_model_says(
    model: Any, frame: pd.DataFrame, labels: Any, runtime: str, tmp_path: Path
) -> None:
    examples = split(frame, labels)
    model.fit(examples.x_train, examples.y_train)
    judged = evaluation(model, examples).assign(label=LATE[TRAIN:] if hasattr(model, "predict_proba") else labels[TRAIN:])
    made = package(model, examples, judged, None, Packing(natives=NATIVES))

    assert made.runtime == runtime
    assert len(made.golden.scores) == 32
    answers_as_stored(made, tmp_path)


@pytest.mark.parametrize(
    ("model", "frame"),
    [
        pytest.param(logged(), FRAME, id="sklearn"),
        pytest.param(xgb(), CATEGORIES, id="xgboost"),
        pytest.param(lgbm(), CATEGORIES, id="lightgbm"),
    ],
)
def test_callers_need_not_know_in_which_form_a_model_came(model: Any, frame: pd.DataFrame) -> None:
    native, converted = packaged(model, split(frame)).signature, packaged(logistic(), split()).signature
    assert native == converted


def test_a_regressor_has_the_output_that_its_conversion_would_have() -> None:
    made = packaged(make_pipeline(encoded(scaled=True), KNeighborsRegressor()), split(labels=MINUTES), "native").signature
    assert [(tensor.name, tensor.datatype, tensor.shape) for tensor in made.outputs] == [("prediction", "FP32", (-1, 1))]
    assert (made.score, made.score_column) == ("prediction", 0)


# Which form, and why


def test_what_converts_stays_onnx_and_nothing_is_said() -> None:
    made = packaged(logistic(), split())
    assert (made.runtime, made.options, made.notes) == ("onnx", {}, ())


def test_what_does_not_convert_says_why_it_will_be_slower() -> None:
    (note,) = packaged(logged(), split()).notes
    assert note.startswith("in a process of its own, which takes longer than ONNX, because as ONNX it cannot: Pipeline › ")
    assert "FunctionTransformer runs 'log1p'" in note


def test_what_converts_unfaithfully_says_so() -> None:
    """An hour that lies half-way between two hours of a node stands on its threshold; scaled, 32 bits cannot tell which side."""
    made = packaged(make_pipeline(encoded(scaled=True), RandomForestClassifier(30, random_state=0)), split())
    assert made.runtime == "sklearn"
    assert "rounding to 32 bits moves too many rows" in made.notes[0]


def test_the_project_may_ask_for_the_librarys_own_format() -> None:
    made = packaged(boosted(), split(), "native")
    assert made.runtime == "sklearn"
    assert made.notes[0].endswith("as the project asks for")


def test_requirements_go_with_models_that_have_an_environment_of_their_own() -> None:
    examples = split(FRAME[NUMBERS])
    pinned = ("xgboost-cpu==3.2.0",)
    for model, expected in ((xgb(), pinned), (scaled_logistic(), ())):
        model.fit(examples.x_train, examples.y_train)
        packing = Packing(requirements=pinned, natives=NATIVES)
        made = package(model, examples, evaluation(model, examples), EVENT, packing)
        assert made.requirements == expected
    assert made.notes == ("its requirements are left out: ONNX needs none",)


def scaled_logistic() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression())


def test_the_label_is_the_models_own_where_that_is_not_the_more_probable_class() -> None:
    examples = split(FRAME[NUMBERS])
    strict = FixedThresholdClassifier(LogisticRegression(), threshold=0.9)
    plain = packaged(scaled_logistic(), examples, "native")
    assert plain.options["method"] == ["argmax", "predict_proba"]
    assert packaged(strict, examples, "native").options["method"] == ["predict", "predict_proba"]


def test_floats_travel_with_64_bits_where_32_would_change_the_answers(tmp_path: Path) -> None:
    """A moment in milliseconds: 32 bits cannot tell it from the next."""
    moments = pd.DataFrame({"at": 1.7e12 + FRAME["hour"] * 1000.0, "wind": FRAME["wind"]})
    made = packaged(make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)), split(moments), "native")
    assert {tensor.name: tensor.datatype for tensor in made.signature.inputs} == {"at": "FP64", "wind": "FP64"}
    assert "floats travel as FP64" in made.notes[1]
    answers_as_stored(made, tmp_path)


# The same model, the same bytes

_AGAIN = """
import pickle, sys
from lockgate.kernel.digest import digest_bytes
from lockgate.integrations.sklearn.package import package
for given in pickle.load(open(sys.argv[1], "rb")):
    print(digest_bytes(*package(*given).files.values()))
"""


def test_the_same_model_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    given = []
    for model, frame in ((logged(), FRAME), (with_categories(), CATEGORIES), (xgb(), CATEGORIES), (lgbm(), CATEGORIES)):
        examples = split(frame)
        model.fit(examples.x_train, examples.y_train)
        given.append((model, examples, evaluation(model, examples), None, Packing(natives=NATIVES)))
    path = tmp_path / "models"
    path.write_bytes(pickle.dumps(given))
    again = subprocess.run([sys.executable, "-c", _AGAIN, str(path)], capture_output=True, text=True, check=True, timeout=90)
    assert again.stdout.split() == [digest_bytes(*package(*one).files.values()) for one in given]


def test_how_many_threads_trained_a_model_is_not_in_its_bytes() -> None:
    one, two = (packaged(lgbm().set_params(n_jobs=jobs), split(FRAME[NUMBERS])) for jobs in (1, 2))
    assert one.files == two.files


# Boosters, which are no estimators


def booster_package(model: Any, frame: pd.DataFrame, scores: Any, folder: Path) -> None:
    examples = split(frame)
    judged = pd.DataFrame({"prediction": scores, "label": examples.y_test})
    answers_as_stored(package(model, examples, judged, EVENT, Packing(natives=NATIVES)), folder)


def test_a_booster_of_xgboost_is_packaged_too(tmp_path: Path) -> None:
    frame = FRAME[NUMBERS]
    matrix = xgboost.DMatrix(frame[:TRAIN], LATE[:TRAIN], nthread=1)
    model = xgboost.train({"objective": "binary:logistic", "nthread": 1}, matrix, 10)
    booster_package(model, frame, model.predict(xgboost.DMatrix(frame[TRAIN:], nthread=1)), tmp_path)


def test_a_booster_of_lightgbm_is_packaged_too(tmp_path: Path) -> None:
    frame = FRAME[NUMBERS]
    parameters = {"objective": "binary", "verbose": -1, "num_threads": 1}
    model = lightgbm.train(parameters, lightgbm.Dataset(frame[:TRAIN], LATE[:TRAIN]), 10)
    booster_package(model, frame, np.asarray(model.predict(frame[TRAIN:])), tmp_path)


def test_a_search_hands_over_its_best_model() -> None:
    search = GridSearchCV(xgb(), {"learning_rate": [0.1, 0.3]}, cv=2)
    assert packaged(search, split(CATEGORIES)).runtime == "xgboost"


def test_a_booster_inside_a_pipeline_travels_with_it(tmp_path: Path) -> None:
    made = packaged(make_pipeline(SimpleImputer(), lgbm()), split(FRAME[NUMBERS]))
    assert made.runtime == "sklearn"
    assert {"lightgbm", "skops", "scikit-learn"} <= set(made.environment)
    answers_as_stored(made, tmp_path)


# Refusals


def test_what_becomes_neither_says_both_reasons() -> None:
    inner = ColumnTransformer([("twice", Doubled(), NUMBERS)])
    message = refusal(make_pipeline(inner, LogisticRegression(max_iter=900)), runtime="auto").message
    assert message.startswith("the model becomes neither ONNX nor a skops file. ONNX: Pipeline › columntransformer › twice: ")
    assert (
        "skops: Pipeline holds tests.integration.packaging.examples.Doubled: classes or functions of the project's own" in message
    )


def test_a_model_of_a_booster_does_not_become_onnx() -> None:
    assert refusal(xgb(), split(CATEGORIES)).message == "XGBClassifier is a model of xgboost, which does not become ONNX here"


@pytest.mark.parametrize("objective", ["rank:pairwise", "multi:softprob", "binary:hinge"])
def test_an_objective_without_a_score_is_refused(objective: str) -> None:
    more = {"num_class": 2} if objective.startswith("multi") else {}
    matrix = xgboost.DMatrix(FRAME[NUMBERS], LATE, nthread=1)
    model = xgboost.train({"objective": objective, "nthread": 1, **more}, matrix, 2)
    message = refusal(model, split(FRAME[NUMBERS]), pd.DataFrame(), fit=False, runtime="auto").message
    assert message == f"an XGBoost model with the objective {objective} gives no score that could be judged"


def test_a_feature_that_is_named_like_an_output_is_refused() -> None:
    clash = FRAME[NUMBERS].rename(columns={"wind": "label"})
    message = refusal(xgb(), split(clash), runtime="auto").message
    assert message == "features are named label, and so are outputs of the package"


def test_a_model_that_does_not_say_the_same_twice_is_refused() -> None:
    model = xgb()
    examples = split(CATEGORIES)
    model.fit(examples.x_train, examples.y_train)
    other = xgb(learning_rate=0.9).fit(examples.x_train, 1 - examples.y_train)
    model.predict_proba = other.predict_proba
    message = refusal(model, examples, evaluation(other, examples), fit=False, runtime="auto").message
    assert message.startswith("the model, stored and read back, does not say what the original says: 400 of 400 rows")


def test_texts_that_are_no_categories_are_the_librarys_to_refuse() -> None:
    model = lgbm().fit(FRAME[NUMBERS][:TRAIN], LATE[:TRAIN])
    message = refusal(model, split(FRAME[TEXTS]), evaluation(model, split(FRAME[NUMBERS])), fit=False, runtime="auto").message
    assert message.startswith("the model cannot answer the held-out rows of the split: ")
