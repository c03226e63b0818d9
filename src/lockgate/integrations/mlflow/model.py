"""How a pipeline hands over a model that MLflow saved: by the folder's files. Importing this needs no MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from lockgate.boundary.folder import check_names
from lockgate.boundary.mlmodel import DESCRIPTION
from lockgate.kernel.errors import Invalid


@dataclass(frozen=True, slots=True)
class MlflowModel:
    """files: content by name; one is MLmodel. classes: two; None: a regressor, or the model itself knows."""

    files: dict[str, bytes]
    classes: tuple[Any, ...] | None

    def predict(self, rows: Any) -> Any:
        """The score of each row of a pandas.DataFrame. Loads the model anew, by MLflow, and so runs what code it holds.

        Raises:
            Invalid: it cannot answer these rows.
        """
        return import_module("lockgate.integrations.mlflow.loading").loaded(self).scores(rows)


def mlflow_model(path: str | Path, *, classes: Sequence[Any] | None = None) -> MlflowModel:
    """A model that MLflow saved, as a pipeline's model.

    path: the folder that `mlflow.<flavour>.save_model` wrote. A model of a native flavour whose file is data alone (scikit-learn
    as skops, XGBoost, LightGBM) is served from that file; any other by MLflow, where servers are told to trust such code.
    classes: of a classifier whose model does not know them (a Booster, a function of Python) the two labels, the positive one
    last; what it answers is then the probability of the second.

    Raises:
        Invalid: there is no such folder.
    """
    folder = Path(path)
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if links := [path for path in paths if path.is_symlink()]:
        raise Invalid(f"{links[0]} is a link, a file expected", hint="Copy what it points to.")
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    if DESCRIPTION not in files:
        raise Invalid(f"{folder} has no file {DESCRIPTION}", hint="Name the folder that MLflow's save_model wrote.")
    check_names(files)
    return MlflowModel(files, None if classes is None else tuple(classes))
