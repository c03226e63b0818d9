"""What cannot be packaged is refused with its place, its reason and what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler

from lockgate import Split
from lockgate.integrations.sklearn import conversion
from lockgate.integrations.sklearn.package import package
from lockgate.kernel.errors import Invalid, InvalidInput
from tests.integration.packaging.examples import (
    FRAME,
    LATE,
    NUMBERS,
    TEXTS,
    TRAIN,
    Doubled,
    MyForest,
    encoded,
    evaluation,
    logistic,
    refusal,
    split,
)


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
