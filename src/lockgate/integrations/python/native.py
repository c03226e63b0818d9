"""A model that is its author's own Python: its files as they are."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.folder import Folder
from lockgate.boundary.python_models import Predict
from lockgate.integrations.python.model import PythonModel, columns_of
from lockgate.kernel.errors import Invalid, LockgateError
from lockgate.ports.natives import Native

RUNTIME = "python"
_TWO = 2


def native(model: PythonModel, categories: Mapping[str, Sequence[Any]], dtypes: Mapping[str, str]) -> Native:
    """The model's files. It is loaded twice, from folders of its own, so that what it keeps elsewhere is missed here.

    Raises:
        Invalid: it cannot be loaded.
    """
    del categories
    original, again = _Loaded(model), _Loaded(model)
    return Native(
        runtime=RUNTIME,
        files=model.files,
        classes=model.classes,
        options={"entry": model.entry} | ({"dtypes": dict(dtypes)} if dtypes else {}),
        environment={"python": platform.python_version(), "numpy": np.__version__},
        original=original.scores,
        again=again.scores,
        requirements=model.requirements,
    )


class _Loaded:
    def __init__(self, model: PythonModel) -> None:
        self._folder = Folder(model.files)  # kept: the model may read there at any time
        self._is_classifier = model.classes is not None
        try:
            self._predict: Predict = model.loaded(self._folder)
        except LockgateError:
            raise
        except Exception as error:
            # The author's code may raise anything.
            raise Invalid(f"model.py cannot be loaded: {_said(error)}", hint="Try python_model(…).predict(rows).") from error

    def scores(self, rows: Any) -> NDArray[np.float64]:
        try:
            answer = np.asarray(self._predict(columns_of(rows)), dtype=np.float64)
        except Exception as error:
            # As above.
            raise Invalid(f"the model cannot answer the held-out rows of the split: {_said(error)}") from error
        widths = (1, _TWO) if self._is_classifier else (1,)
        if answer.shape != (len(rows),) and answer.shape not in [(len(rows), width) for width in widths]:
            raise Invalid(f"the model answers {len(rows)} rows with shape {list(answer.shape)}, one score for each row expected")
        return answer.reshape(len(rows), -1)[:, -1]


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
