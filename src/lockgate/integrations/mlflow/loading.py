"""The model in an MLflow folder, loaded by MLflow, as the pipeline would use it: what its package must repeat."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.folder import Folder
from lockgate.boundary.mlmodel import DESCRIPTION, PYTHON, Flavor, flavors_of, native_flavor
from lockgate.integrations.mlflow.model import MlflowModel
from lockgate.kernel.errors import Invalid, MissingExtra

_TWO = 2


@dataclass(frozen=True, slots=True)
class Loaded:
    """flavor: the one that is served. model: the library's own object, or a PyFuncModel. folder: kept, it may read there."""

    flavor: Flavor
    model: Any
    classes: tuple[Any, ...] | None
    folder: Folder

    @property
    def has_probabilities(self) -> bool:
        return self.flavor != PYTHON and hasattr(self.model, "predict_proba")

    def scores(self, rows: Any) -> NDArray[np.float64]:
        """The positive class's probability, or the prediction, shape (rows,).

        Raises:
            Invalid: it cannot answer these rows.
        """
        try:
            answer = np.asarray(self._answer(rows), dtype=np.float64)
        except Exception as error:
            # Libraries' errors share no base but Exception.
            reason = str(error).strip().partition("\n")[0]
            raise Invalid(f"the model cannot answer the held-out rows of the split: {reason}") from error
        widths = (1, _TWO) if self.classes is not None else (1,)
        if answer.shape != (len(rows),) and answer.shape not in [(len(rows), width) for width in widths]:
            raise Invalid(f"the model answers {len(rows)} rows with shape {list(answer.shape)}, one score for each row expected")
        return answer.reshape(len(rows), -1)[:, -1]

    def _answer(self, rows: Any) -> Any:
        if self.has_probabilities:
            return self.model.predict_proba(rows)
        if type(self.model).__module__.startswith("xgboost"):
            xgboost = import_module("xgboost")
            given = xgboost.DMatrix(rows, enable_categorical=True) if isinstance(self.model, xgboost.Booster) else rows
            return self.model.predict(given)
        return self.model.predict(rows)


def loaded(model: MlflowModel) -> Loaded:
    """Raises Invalid if MLflow cannot load it; MissingExtra if MLflow, or the library that it needs, is missing."""
    flavors = flavors_of(model.files[DESCRIPTION])
    flavor = native_flavor(flavors) or PYTHON
    if flavor == PYTHON and model.classes is not None and flavors.get(PYTHON, {}).get("predict_fn") == "predict":
        raise Invalid(
            "the MLflow model answers with classes, probabilities expected",
            hint="Save it with pyfunc_predict_fn='predict_proba', or in its library's own format.",
        )
    folder = Folder(model.files)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read when it is imported
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of hints in MLflow's own code
            island = import_module("mlflow.pyfunc" if flavor == PYTHON else f"mlflow.{flavor}")
            found = island.load_model(str(folder.path))
    except ImportError as error:
        raise MissingExtra(f"loading this model needs a library: {error}", hint="pip install 'lockgate[mlflow]'") from error
    except Exception as error:
        # A model may raise anything when it is loaded.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise Invalid(f"MLflow cannot load the model: {reason}", hint="Try mlflow.pyfunc.load_model on its folder.") from error
    return Loaded(flavor, found, _classes(model, found), folder)


def _classes(model: MlflowModel, found: Any) -> tuple[Any, ...] | None:
    own = getattr(found, "classes_", None)
    if own is None:
        return model.classes
    classes = tuple(np.ravel(own).tolist())
    if len(classes) != _TWO:
        raise Invalid(
            f"{type(found).__name__} tells {len(classes)} classes apart, two expected: one score is judged",
            hint="Train it to tell the class that matters from all others.",
        )
    return classes
