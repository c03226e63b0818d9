"""A River model as the platform's own file of objects: River has no format but pickle, which is a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from river.base import Classifier, Estimator, Regressor
from river.compose import Pipeline

from lockgate.boundary.objects.reading import decode
from lockgate.boundary.objects.river import RIVER
from lockgate.boundary.objects.writing import encode
from lockgate.kernel.errors import Invalid, LockgateError
from lockgate.ports.natives import Native

RUNTIME = "river"
MODEL_FILE = "model.river.json"
_TWO = 2
_MOST_NAMES = 1000


def native(model: Any, categories: Mapping[str, Sequence[Any]], dtypes: Mapping[str, str]) -> Native:
    """The model with all that it has learned, able to go on learning. Categories are to River what they are categories of.

    Raises:
        Invalid: it is no classifier of two classes or regressor. Refused: it holds something that is none of River's parts.
    """
    del categories
    classes = _classes(model)
    content = encode(model, RIVER)
    again = decode(content, RIVER)
    booleans = [name for name, dtype in dtypes.items() if dtype == "bool"]
    return Native(
        runtime=RUNTIME,
        files={MODEL_FILE: content},
        classes=classes,
        options={"booleans": booleans} if booleans else {},
        environment={name: version(name) for name in ("river", "numpy")},
        original=lambda rows: _scores(model, rows, classes),
        again=lambda rows: _scores(again, rows, classes),
    )


def _classes(model: Any) -> tuple[Any, ...] | None:
    last = _last(model)
    name = type(last).__name__
    if isinstance(last, Regressor):
        return None
    if not isinstance(last, Classifier):
        raise Invalid(
            f"{name} of River is neither a classifier nor a regressor: it gives no score that could be judged",
            hint="End the pipeline with a classifier or a regressor.",
        )
    labels = _labels(model)
    if len(labels) != _TWO:
        known = ", ".join(str(label) for label in labels[:5])
        raise Invalid(
            f"{name} of River tells {len(labels)} classes apart ({known}), two expected: one score is judged",
            hint="Let it learn to tell the class that matters from all others, on rows of both.",
        )
    return tuple(labels)


def _last(model: Any) -> Any:
    while isinstance(model, Pipeline):
        model = next(reversed(model.steps.values()))
    return model if isinstance(model, Estimator) else None


def _labels(model: Any) -> list[Any]:
    """The classes that it has learned. Only an answer names them: it is asked about nothing, or zeros if it wants values."""
    row: dict[str, float] = {}
    while len(row) < _MOST_NAMES:
        try:
            return sorted(model.predict_proba_one(row))
        except KeyError as missing:
            row[missing.args[0]] = 0.0
        except NotImplementedError as error:
            raise Invalid(
                f"{type(_last(model)).__name__} of River gives no probabilities that could be judged and watched",
                hint="Take a classifier that has predict_proba_one.",
            ) from error
        except Exception as error:
            # River's models raise what they meet, of any type.
            raise Invalid(f"the model does not say which classes it has learned: {type(error).__name__}: {error}") from error
    raise Invalid(f"the model wants more than {_MOST_NAMES} values a row")


def _scores(model: Any, rows: pd.DataFrame, classes: tuple[Any, ...] | None) -> NDArray[np.float64]:
    given = rows.to_dict("records")
    try:
        if classes is None:
            return np.array([model.predict_one(row) for row in given], dtype=np.float64)
        return np.array([model.predict_proba_one(row).get(classes[1], 0.0) for row in given], dtype=np.float64)
    except LockgateError:
        raise
    except Exception as error:
        # As above.
        raise Invalid(
            f"the model cannot answer the held-out rows of the split: {type(error).__name__}: {error}",
            hint="Let it learn from rows with the columns of split.x_train.",
        ) from error
