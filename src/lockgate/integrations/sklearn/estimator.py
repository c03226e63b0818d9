"""The model that the pipeline hands over: is it one that can be packaged, and what does it say of some rows?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skl2onnx._supported_operators import sklearn_operator_name_map
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from lockgate.kernel.errors import Fault, Invalid, InvalidInput

_TWO = 2
_EPSILON = float(np.finfo(np.float32).eps)
# A value, a mean and a scale, each rounded to 32 bits, and the result again.
_ROUNDINGS = 4


@dataclass(frozen=True, slots=True)
class Estimator:
    """A fitted scikit-learn classifier of two classes, or a regressor."""

    model: Any
    classifier: bool

    def scores(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """What the original says, shape (rows,): the probability of the positive class, or the prediction.

        Raises:
            Invalid: the model cannot answer these rows.
        """
        try:
            return _scores(self.model, rows, classifier=self.classifier)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Invalid(
                f"the model cannot answer the held-out rows of the split: {error}",
                hint="Train on split.x_train as it is, so that the model takes the same columns.",
            ) from error

    def scores_nearby(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """What the original would say if rounding had moved the numbers that its last step gets: shape (3, rows).

        One row of answers for the numbers as they are, one for all a little greater, one for all a little less.
        """
        before, last = (self.model[:-1], self.model[-1]) if _is_chain(self.model) else (None, self.model)
        given: Any = rows if before is None else before.transform(rows)
        given = given.toarray() if hasattr(given, "toarray") else given
        sizes = np.abs(np.asarray(given, dtype=np.float64)).max(axis=0)
        step = _ROUNDINGS * _EPSILON * np.nan_to_num(sizes)
        return np.stack([_scores(last, given + move * step, classifier=self.classifier) for move in (0, 1, -1)])


def estimator_of(model: object) -> Estimator:
    """The model, if it can be judged; of a search its best model.

    Raises:
        Invalid: it is no fitted classifier of two classes or regressor.
    """
    if not isinstance(model, BaseEstimator):
        raise Invalid(
            f"{type(model).__module__}.{type(model).__qualname__} found where the pipeline's model is needed, "
            "a scikit-learn classifier or regressor expected",
            hint="Let the step named in `model` return a fitted scikit-learn estimator or Pipeline.",
        )
    model = getattr(model, "best_estimator_", model)
    _check_fitted(model)
    _check_kind(model)
    return Estimator(model, classifier=is_classifier(model))


def check_converts(estimator: Estimator) -> None:
    """Whether the converter knows every part, as far as its list tells.

    Raises:
        InvalidInput: parts that it does not know, all of them.
    """
    parts = _parts(estimator.model, type(estimator.model).__name__)
    faults = [fault for path, part in parts for fault in _faults(path, part)]
    if faults:
        raise InvalidInput(
            "the model", faults, hint="Do this work in a step before the split, or with a part that converts to ONNX."
        )


def _check_fitted(model: Any) -> None:
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise Invalid(
            f"{type(model).__name__} is not fitted: it has learned nothing yet", hint="Call fit(split.x_train, split.y_train)."
        ) from error


def _check_kind(model: Any) -> None:
    name = type(model).__name__
    if is_regressor(model):
        return
    if not is_classifier(model):
        raise Invalid(f"{name} is neither a classifier nor a regressor: it gives no score that could be judged")
    if not hasattr(model, "predict_proba"):
        raise Invalid(
            f"{name} has no predict_proba, so it gives no probability that could be judged and watched",
            hint="Wrap it in sklearn.calibration.CalibratedClassifierCV, or take a classifier with probabilities.",
        )
    classes = [str(value) for value in np.ravel(model.classes_)]
    if len(classes) != _TWO:
        raise Invalid(
            f"{name} tells {len(classes)} classes apart ({', '.join(classes[:5])} …), two expected: one score is judged",
            hint="Train it to tell the class that matters from all others.",
        )


def _parts(model: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each innermost estimator with the path to it."""
    if isinstance(model, Pipeline):
        inner = model.steps
    elif isinstance(model, ColumnTransformer):
        inner = [(name, part) for name, part, _ in model.transformers_]
    elif isinstance(model, FeatureUnion):
        inner = model.transformer_list
    else:
        yield path, model
        return
    for name, part in inner:
        if not isinstance(part, str) and part is not None:
            yield from _parts(part, f"{path} › {name}")


def _faults(path: str, part: Any) -> Iterator[Fault]:
    name = type(part).__name__
    if isinstance(part, FunctionTransformer) and part.func is not None:
        yield Fault(path, f"FunctionTransformer runs {getattr(part.func, '__name__', part.func)!r}, which is Python and no ONNX")
    elif type(part) not in sklearn_operator_name_map:
        yield Fault(path, f"{type(part).__module__}.{name} has no conversion to ONNX")
    elif np.any(getattr(part, "is_categorical_", None)):
        yield Fault(
            path, f"{name} has categorical features, which its conversion reads as numbers: encode them in a step before it"
        )


def _is_chain(model: Any) -> bool:
    return isinstance(model, Pipeline) and len(model) > 1


def _scores(model: Any, rows: Any, *, classifier: bool) -> NDArray[np.float64]:
    answers = np.asarray(model.predict_proba(rows)[:, 1] if classifier else model.predict(rows), dtype=np.float64)
    if answers.ndim > 1 and answers.shape[1] != 1:
        raise ValueError(f"{answers.shape[1]} numbers a row are predicted, one expected")
    return answers.reshape(-1)
