"""Real scikit-learn models through ONNX: the same answers, the same bytes, and a clear refusal where that cannot be."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC

from lockgate import Split
from lockgate.boundary.manifest import File, Lineage, Manifest, encode
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evaluation import decode
from lockgate.domain.packages import Packaged
from lockgate.integrations.onnxruntime.runtime import OnnxRuntime
from lockgate.integrations.sklearn import conversion
from lockgate.integrations.sklearn.package import package
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Corrupt, Invalid, InvalidInput, NotFound, Refused
from lockgate.stages.build.packaging.parity import verify
from lockgate.stages.watch import reference
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.usecases.verify_package import verify_package

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


def packaged(model: Any, examples: Split) -> Packaged:
    model.fit(examples.x_train, examples.y_train)
    return package(model, examples, evaluation(model, examples), EVENT if hasattr(model, "predict_proba") else None)


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
    assert verify(golden, OnnxRuntime().scores(made.files, made.signature, golden.inputs)).holds
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


# Refusals


class Doubled(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, _x: Any, _y: Any = None) -> Doubled:
        self.fitted_ = True
        return self

    def transform(self, x: Any) -> Any:
        return x * 2


class MyForest(RandomForestClassifier):  # type: ignore[misc]
    """Nobody knows how to convert it."""


def refusal(model: Any, examples: Any = None, frame: Any = None, *, fit: bool = True) -> Invalid:
    examples = examples or split()
    if fit:
        model.fit(examples.x_train, examples.y_train)
    with pytest.raises(Invalid) as caught:
        package(model, examples, frame if frame is not None else evaluation(model, examples), None)
    assert caught.value.hint, "every refusal says what to do"
    return caught.value


def test_a_custom_transformer_is_named_with_its_place() -> None:
    inner = ColumnTransformer([("texts", OneHotEncoder(), TEXTS), ("twice", Doubled(), NUMBERS)])
    message = refusal(make_pipeline(inner, LogisticRegression(max_iter=900))).message
    assert message.startswith("the model has 1 fault:\n  Pipeline › columntransformer › twice: ")
    assert message.endswith("Doubled has no conversion to ONNX")


def test_all_parts_that_cannot_be_converted_are_named_at_once() -> None:
    inner = ColumnTransformer([("log", FunctionTransformer(np.log1p), ["distance"]), ("twice", Doubled(), ["wind"])])
    error = refusal(make_pipeline(inner, MyForest(5)))
    assert isinstance(error, InvalidInput)
    assert [fault.path for fault in error.faults] == [
        "Pipeline › columntransformer › log",
        "Pipeline › columntransformer › twice",
        "Pipeline › myforest",
    ]
    assert "FunctionTransformer runs 'log1p'" in error.message


def test_native_categories_of_boosted_trees_are_refused_because_their_conversion_is_wrong() -> None:
    encoder = ColumnTransformer([("texts", OrdinalEncoder(), TEXTS)], remainder="passthrough")
    message = refusal(make_pipeline(encoder, HistGradientBoostingClassifier(categorical_features=[0, 1], max_iter=5))).message
    assert "HistGradientBoostingClassifier has categorical features" in message


def test_an_unfitted_model_is_refused() -> None:
    message = refusal(logistic(), frame=pd.DataFrame({"prediction": [0.5], "label": [1]}), fit=False).message
    assert message == "Pipeline is not fitted: it has learned nothing yet"


def test_what_is_no_estimator_is_refused() -> None:
    message = refusal({"weights": [1, 2]}, frame=pd.DataFrame(), fit=False).message
    assert message.startswith("builtins.dict found where the pipeline's model is needed")


def test_a_classifier_without_probabilities_is_refused() -> None:
    assert "has no predict_proba" in refusal(make_pipeline(encoded(scaled=True), RidgeClassifier())).message


def test_three_classes_have_no_single_score() -> None:
    three = split(labels=pd.cut(FRAME["distance"], 3, labels=["near", "mid", "far"]).astype(str))
    frame = pd.DataFrame({"prediction": [0.5], "label": [1]})
    assert "tells 3 classes apart (far, mid, near …)" in refusal(logistic(), three, frame).message


def test_a_model_that_gives_no_score_is_refused() -> None:
    model = KMeans(2, n_init=1).fit(FRAME[["wind", "distance"]].to_numpy()[:50])
    with pytest.raises(Invalid, match="KMeans is neither a classifier nor a regressor"):
        package(model, split(), pd.DataFrame(), None)


def test_a_model_trained_on_other_columns_cannot_answer_the_split() -> None:
    model = logistic().fit(
        FRAME.rename(columns={"wind": "gust", "distance": "miles"}).assign(wind=1.0, distance=2.0)[:TRAIN], LATE[:TRAIN]
    )
    other = split(FRAME.drop(columns="wind"))
    message = refusal(model, other, evaluation(model, split(FRAME.assign(gust=0.0, miles=1.0))), fit=False).message
    assert message.startswith("the model cannot answer the held-out rows of the split")


def test_a_feature_that_is_named_like_an_output_is_refused() -> None:
    clash = FRAME.rename(columns={"wind": "label"})
    inner = ColumnTransformer([("numbers", StandardScaler(), ["label", "distance"])])
    message = refusal(make_pipeline(inner, LogisticRegression()), split(clash)).message
    assert message == "features are named label, and so are outputs of the package"


def test_a_part_that_only_converts_in_part_is_refused_with_the_reason() -> None:
    """The converter knows the class, but not this way of using it."""
    bins = KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf")
    model = make_pipeline(ColumnTransformer([("bins", bins, ["distance"])]), LogisticRegression())
    assert "Pipeline cannot be converted to ONNX: onehot encoding not supported" in refusal(model).message


def test_a_missing_split_is_refused() -> None:
    model = logistic().fit(FRAME, LATE)
    message = refusal(model, {"x_train": 1}, pd.DataFrame(), fit=False).message
    assert message == "dict found where the pipeline's split is needed, lockgate.Split expected"


def test_columns_that_cannot_travel_are_all_named() -> None:
    wrong = FRAME.assign(
        at=pd.Timestamp("2013-01-01"),
        note=pd.Series([1, "two"] * 650, dtype=object),
        carrier=FRAME["carrier"].mask(FRAME.index == 5),
        hour=FRAME["hour"].astype("Int64").mask(FRAME.index == 1_000),
    )
    model = logistic().fit(FRAME[:TRAIN], LATE[:TRAIN])
    error = refusal(model, split(wrong), evaluation(model, split()), fit=False)
    assert isinstance(error, InvalidInput)
    assert [(fault.path, fault.message.partition(";")[0]) for fault in error.faults] == [
        ("x_train.carrier", "1 of 900 values are missing"),
        ("x_test.hour", "1 of 400 values are missing"),
        ("x_train.at", "datetime64[us] found"),
        ("x_test.at", "datetime64[us] found"),
        ("x_train.note", "a mixture of int, str found"),
        ("x_test.note", "a mixture of int, str found"),
    ]


def test_frames_and_labels_that_do_not_belong_together_are_named() -> None:
    model = logistic().fit(FRAME[:TRAIN], LATE[:TRAIN])
    wrong = Split(FRAME[:TRAIN], LATE[:10], FRAME[TRAIN:].drop(columns="wind"), None)
    error = refusal(model, wrong, evaluation(model, split()), fit=False)
    assert isinstance(error, InvalidInput)
    assert [fault.path for fault in error.faults] == ["y_train", "y_test", "x_test"]
    error = refusal(model, Split(FRAME.to_numpy(), LATE, FRAME[:0], LATE[:0]), evaluation(model, split()), fit=False)
    assert isinstance(error, InvalidInput)
    assert [str(fault) for fault in error.faults] == [
        "x_train: ndarray found, a pandas DataFrame expected",
        "x_test: no rows found, at least one expected",
    ]


def test_a_column_that_changes_its_kind_between_the_frames_is_refused() -> None:
    model = logistic().fit(FRAME[:TRAIN], LATE[:TRAIN])
    wrong = replace(split(), x_test=FRAME[TRAIN:].assign(hour="noon"))
    assert (
        "x_test.hour: BYTES found, INT64 as in x_train expected"
        in refusal(model, wrong, evaluation(model, split()), fit=False).message
    )


def test_trees_behind_a_scaler_are_refused_when_rounding_turns_too_many() -> None:
    """An hour that lies half-way between two hours of a node stands on its threshold; scaled, 32 bits cannot tell which side."""
    model = make_pipeline(encoded(scaled=True), RandomForestClassifier(30, random_state=0))
    error = refusal(model)
    assert error.message.startswith("rounding to 32 bits moves too many rows across thresholds of trees, 1% are allowed: ")
    assert "The worst is row " in error.message
    assert "hour=" in error.message
    assert "unscaled" in str(error.hint)


def test_answers_that_rounding_does_not_explain_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the converter were wrong: it converts another model."""
    examples = split()
    model = logistic().fit(examples.x_train, examples.y_train)
    other = logistic().fit(examples.x_train, 1 - examples.y_train)
    onnx = conversion._onnx

    def wrong(estimator: Any, *rest: Any) -> bytes:
        return onnx(replace(estimator, model=other), *rest)

    monkeypatch.setattr(conversion, "_onnx", wrong)
    error = refusal(model, examples, fit=False)
    assert error.message.startswith("the converted model does not say what the original says: ")
    assert "of 400 held-out rows differ by more than 1e-05. The worst is row" in error.message


@pytest.mark.parametrize(
    ("frame", "faults"),
    [
        (
            {"prediction": [0.5, np.nan, 0.2], "label": [1.0, 0.0, 3.0], 7: ["a", "b", "c"]},
            [
                "index: 1 examples are named more than once, such as 1; each must have its own id",
                "prediction: 1 of 3 values are missing or infinite",
                "label: 1 values such as 3 found; a classifier's are 0 or 1 (the positive class)",
                "7: a column's name is a text",
            ],
        ),
        (
            {"prediction": [1.5, -0.1, 0.2]},
            [
                "index: 1 examples are named more than once, such as 1; each must have its own id",
                "prediction: 2 values such as -0.1, 1.5 found; a classifier's are probabilities of the positive class",
                "label: no such column found, one expected",
            ],
        ),
        (
            {"prediction": ["high", "low", "low"], "label": [True, False, True]},
            [
                "index: 1 examples are named more than once, such as 1; each must have its own id",
                "prediction: str found, numbers expected",
            ],
        ),
    ],
)
def test_all_faults_of_an_evaluation_are_named_at_once(frame: dict[Any, Any], faults: list[str]) -> None:
    model = logistic().fit(FRAME[:TRAIN], LATE[:TRAIN])
    error = refusal(model, split(), pd.DataFrame(frame, index=[1, 1, 2]), fit=False)
    assert isinstance(error, InvalidInput)
    assert [str(fault) for fault in error.faults] == faults


def test_an_empty_or_missing_evaluation_is_refused() -> None:
    model = logistic().fit(FRAME[:TRAIN], LATE[:TRAIN])
    empty = pd.DataFrame({"prediction": np.array([], float), "label": np.array([], float)})
    assert "no rows found" in refusal(model, split(), empty, fit=False).message
    assert "list found where the pipeline's evaluation is needed" in refusal(model, split(), [1, 2], fit=False).message


# Verification of what was stored


def stored(made: Packaged, **changes: Any) -> tuple[MemoryArtifacts, str, Manifest]:
    artifacts = MemoryArtifacts()
    files = tuple(File(name, artifacts.put(content), len(content)) for name, content in made.files.items())
    lineage = Lineage("run-1", None, dirty=False, author="ada", data={}, params={})
    manifest = Manifest("flights", made.runtime, files, made.signature, changes.get("golden", made.golden), lineage)
    return artifacts, artifacts.put(encode(manifest)), manifest


def test_a_stored_package_is_verified_and_every_damage_is_found() -> None:
    made = packaged(logistic(), split())
    artifacts, digest, manifest = stored(made)
    verified = verify_package(artifacts, digest, [OnnxRuntime()])
    assert verified.manifest == manifest
    assert verified.parity.holds

    with pytest.raises(Invalid, match="runs on 'onnx', for which there is no runtime here"):
        verify_package(artifacts, digest, [])
    artifacts.damage(manifest.files[0].digest, made.files["model.onnx"][:-1])
    with pytest.raises(InvalidInput, match=r"model\.onnx: artifact sha256:"):
        verify_package(artifacts, digest, [OnnxRuntime()])
    artifacts.damage(digest, b"{}")
    with pytest.raises(Corrupt):
        verify_package(artifacts, digest, [OnnxRuntime()])
    with pytest.raises(NotFound):
        verify_package(MemoryArtifacts(), digest, [OnnxRuntime()])


def test_a_package_that_answers_otherwise_is_refused() -> None:
    made = packaged(logistic(), split())
    golden = made.golden
    other = type(golden)(golden.inputs, [score + 0.01 for score in golden.scores], golden.tolerance)
    artifacts, digest, _ = stored(made, golden=other)
    with pytest.raises(Refused, match="32 of 32 rows differ by more than 1e-05"):
        verify_package(artifacts, digest, [OnnxRuntime()])


def test_bytes_that_are_no_model_cannot_answer() -> None:
    made = packaged(logistic(), split())
    artifacts, digest, _ = stored(replace(made, files={"model.onnx": b"no model"}))
    with pytest.raises(Invalid, match="the model cannot answer"):
        verify_package(artifacts, digest, [OnnxRuntime()])
    artifacts, digest, _ = stored(replace(made, files={"readme": b"?"}))
    with pytest.raises(Invalid, match=r"0 files end in \.onnx"):
        verify_package(artifacts, digest, [OnnxRuntime()])


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    """A Python in which skl2onnx cannot be found."""
    hidden = (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'skl2onnx' else find(name, *rest)\n"
        "import lockgate.integrations.sklearn.package"
    )
    found = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 1
    assert "MissingExtra: packaging scikit-learn models needs skl2onnx, which this Python does not have" in found.stderr
