"""A LightGBM model as text, its own format: LGBMClassifier, LGBMRegressor and what derives from them, or a Booster."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lockgate.kernel.errors import Invalid
from lockgate.ports.natives import Native

RUNTIME = "lightgbm"
MODEL_FILE = "model.txt"
_PROBABILITY = "binary"
_NO_SCORE = frozenset({"multiclass", "multiclassova", "lambdarank", "rank_xendcg"})
_OBJECTIVE = re.compile(r"^objective=(\w+)", re.MULTILINE)
_THREADS = re.compile(r"^\[num_threads: -?\d+\]$", re.MULTILINE)


def native(model: Any, categories: Mapping[str, Sequence[Any]], dtypes: Mapping[str, str]) -> Native:
    """The model as LightGBM stores it. `dtypes` does not matter: LightGBM makes 64-bit floats of all.

    Raises:
        Invalid: it gives no single score.
    """
    del dtypes
    booster = model if isinstance(model, lightgbm.Booster) else model.booster_
    # How many threads it was trained with depends on the machine, and is nothing that a model is.
    text = _THREADS.sub("[num_threads: 1]", booster.model_to_string())
    again = lightgbm.Booster(model_str=text)
    classes = _classes(model, text)
    return Native(
        runtime=RUNTIME,
        files={MODEL_FILE: text.encode()},
        classes=classes,
        options={"categories": {name: list(levels) for name, levels in categories.items()}} if categories else {},
        environment={"lightgbm": lightgbm.__version__, "numpy": np.__version__},
        original=lambda rows: _original(model, rows, classifier=classes is not None),
        again=lambda rows: _numbers(again.predict(rows, num_threads=1)),
    )


def _classes(model: Any, text: str) -> tuple[Any, ...] | None:
    """None of a regressor. A model with an objective of the project's own names none, and is taken for one."""
    found = _OBJECTIVE.search(text)
    objective = found.group(1) if found else "none"
    is_classifier = objective == _PROBABILITY
    if objective in _NO_SCORE or (isinstance(model, lightgbm.LGBMClassifier) and not is_classifier):
        raise Invalid(
            f"a LightGBM model with the objective {objective} gives no score that could be judged",
            hint="Train it with the objective binary to tell one class from all others, or with a regression's objective.",
        )
    if not is_classifier:
        return None
    return tuple(model.classes_) if isinstance(model, lightgbm.LGBMClassifier) else (0, 1)


def _original(model: Any, rows: pd.DataFrame, *, classifier: bool) -> NDArray[np.float64]:
    if classifier and not isinstance(model, lightgbm.Booster):
        return _numbers(model.predict_proba(rows)[:, 1])
    return _numbers(model.predict(rows))


def _numbers(answers: Any) -> NDArray[np.float64]:
    numbers = np.asarray(answers, dtype=np.float64)
    if numbers.ndim > 1 and numbers.shape[1] != 1:
        raise Invalid(f"the model predicts {numbers.shape[1]} numbers a row, one expected")
    return numbers.reshape(-1)
