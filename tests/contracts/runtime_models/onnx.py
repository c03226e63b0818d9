"""A boosted classifier on texts and numbers, converted; what is expected is what scikit-learn says."""

from __future__ import annotations

from pathlib import Path

from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from tests.contracts.runtime_models import flights
from tests.contracts.runtime_models.fixture import Fixture, Made, fixture

LIBRARY = "onnxruntime"
_TYPES = {"BYTES": StringTensorType, "INT64": Int64TensorType, "FP32": FloatTensorType}


def make(folder: Path) -> Fixture:
    given = flights.frame()
    numbers = [("hour", "passthrough", ["hour"]), ("numbers", "passthrough", ["distance", "wind"])]
    first = ColumnTransformer([("texts", OneHotEncoder(sparse_output=False), ["carrier"]), *numbers])
    model = make_pipeline(first, LogisticRegression(max_iter=2000)).fit(given, flights.late(given))
    inputs = [(tensor.name, _TYPES[tensor.datatype]([None, 1])) for tensor in flights.INPUTS]
    content = convert_sklearn(model, initial_types=inputs, options={id(model): {"zipmap": False}}).SerializeToString()
    asked = given[:60]
    label, probabilities = flights.CLASSIFIED
    outputs = ((label, model.predict(asked)), (probabilities, model.predict_proba(asked)))
    made = Made("onnx", {"model.onnx": content}, flights.INPUTS, outputs, flights.rows(given), score_column=1)
    return fixture(folder, made, tolerance=1e-5, knows_options=False)
