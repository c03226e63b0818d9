"""From a fitted scikit-learn model to ONNX bytes, the same bytes for the same model, and the answers of these bytes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.embedded.onnx_library import onnxruntime
from lockgate.integrations.sklearn.estimator import Estimator
from lockgate.integrations.sklearn.features import BYTES, FP32, INT64, Columns, columns
from lockgate.kernel.errors import Invalid
from lockgate.stages.build.packaging.tensors import tensors

_TYPES = {BYTES: StringTensorType, INT64: Int64TensorType, FP32: FloatTensorType}
_DATATYPES = {"tensor(string)": BYTES, "tensor(int64)": INT64, "tensor(float)": FP32}
_ERRORS_ONLY = 3


class CannotConvert(Invalid):
    """The converter or the runtime gave up on this model."""


@dataclass(frozen=True, slots=True)
class Converted:
    """The bytes, what goes in and out, and the scores that they give the rows that were asked, shape (rows,)."""

    content: bytes
    signature: Signature
    scores: NDArray[np.float64]


def convert(estimator: Estimator, datatypes: Mapping[str, str], rows: pd.DataFrame) -> Converted:
    """The model as ONNX with one input of shape (rows, 1) for each feature, asked about some rows of features.

    Raises:
        CannotConvert: with the converter's or the runtime's reason.
    """
    try:
        content = _onnx(estimator, datatypes, rows)
        session = _session(content)
        signature = _signature(session, datatypes, classifier=estimator.classifier)
        scores = _scores(session, signature, columns(rows, datatypes))
    except Invalid:
        raise
    except Exception as error:
        # What a converter trips over has no common type; to the reader it is all one: this model does not convert.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CannotConvert(
            f"{type(estimator.model).__name__} cannot be converted to ONNX: {reason}",
            hint="Take a simpler part in its place, or do that work in a step before the split.",
        ) from error
    return Converted(content, signature, scores)


def _onnx(estimator: Estimator, datatypes: Mapping[str, str], rows: pd.DataFrame) -> bytes:
    model = _taking_columns(estimator.model, rows)
    options = {id(model): {"zipmap": False}} if estimator.classifier else None
    outputs = None if estimator.classifier else [("prediction", None)]
    inputs = [(name, _TYPES[datatype]([None, 1])) for name, datatype in datatypes.items()]
    with warnings.catch_warnings():
        # The converter uses names that scikit-learn and protobuf are about to drop: its authors' matter, not our reader's.
        warnings.simplefilter("ignore")
        proto = convert_sklearn(model, name="lockgate", initial_types=inputs, final_types=outputs, options=options)
    # The order of these entries follows Python's hash seed; the digest must not.
    operators = sorted(proto.opset_import, key=lambda entry: entry.domain)
    ordered = [type(entry).FromString(entry.SerializeToString()) for entry in operators]
    del proto.opset_import[:]
    proto.opset_import.extend(ordered)
    return bytes(proto.SerializeToString(deterministic=True))


def _taking_columns(model: Any, rows: pd.DataFrame) -> Any:
    """The model behind a step that takes single columns, which the converter needs, unless it begins with one."""
    first = model
    while isinstance(first, Pipeline):
        first = first.steps[0][1]
    if isinstance(first, ColumnTransformer):
        return model
    gather = ColumnTransformer([("all", "passthrough", list(rows.columns))]).fit(rows)
    return Pipeline([("columns", gather), ("model", model)])


def _session(content: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _scores(session: Any, signature: Signature, asked: Columns) -> NDArray[np.float64]:
    answers = session.run([signature.score], tensors(signature, asked))[0]
    return np.asarray(answers.reshape(len(answers), -1)[:, signature.score_column], dtype=np.float64)


def _signature(session: Any, datatypes: Mapping[str, str], *, classifier: bool) -> Signature:
    taken = set(datatypes).difference(entry.name for entry in session.get_inputs())
    if taken:
        raise Invalid(
            f"features are named {', '.join(sorted(taken))}, and so are outputs of the package",
            hint="Name these columns otherwise in the step that makes the split.",
        )
    outputs = tuple(
        Tensor(output.name, _DATATYPES[output.type], tuple(size if isinstance(size, int) else -1 for size in output.shape))
        for output in session.get_outputs()
    )
    inputs = tuple(Tensor(name, datatype, (-1, 1)) for name, datatype in datatypes.items())
    return Signature(inputs, outputs, score=outputs[-1].name, score_column=1 if classifier else 0)
