"""How a pipeline hands over a model that is its author's own Python: a module, and the files that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lockgate.boundary.folder import Folder, check_names
from lockgate.boundary.python_models import MODULE, Predict, predictor
from lockgate.kernel.errors import Invalid

_SKIPPED = ("__pycache__",)


@dataclass(frozen=True, slots=True)
class PythonModel:
    """files: content by name; one is model.py. classes: two; None: a regressor. requirements: pinned, for its own environment."""

    files: dict[str, bytes]
    entry: str
    classes: tuple[Any, ...] | None
    requirements: tuple[str, ...] = ()

    def predict(self, rows: Any) -> Any:
        """What the model says of the rows of a pandas.DataFrame. Loads it anew."""
        folder = Folder(self.files)
        return self.loaded(folder)(columns_of(rows))

    def loaded(self, folder: Folder) -> Predict:
        """Raises Invalid if there is no such entry, or whatever the module raises."""
        return predictor(folder.path, self.entry)


def python_model(
    path: str | Path, *, classes: Sequence[Any] | None, entry: str = "Model", requirements: Sequence[str] = ()
) -> PythonModel:
    """A model of one's own as a pipeline's model. Servers run it only where they are told to trust such code.

    path: a Python file, or a folder with a file model.py and others that it reads. entry: a class, made with the folder that
    these files are in (a pathlib.Path) and asked by its method `predict`, or a function; either is given the columns by name
    (dict of arrays of shape (rows,)) and answers with one array: for a classifier the probability of the second class, shape
    (rows,), or of both, (rows, 2); for a regressor the prediction. classes: the two labels, the positive one last; None: a
    regressor. requirements: pinned (NAME==VERSION), for an environment of its own.

    Raises:
        Invalid: there is no such file, or no model.py in the folder.
    """
    place = Path(path)
    files = {MODULE: place.read_bytes()} if place.is_file() else _read(place)
    if MODULE not in files:
        raise Invalid(f"{place} has no file {MODULE}", hint="Name a Python file, or a folder with a file model.py.")
    return PythonModel(files, entry, None if classes is None else tuple(classes), tuple(requirements))


def columns_of(rows: Any) -> dict[str, Any]:
    """Numbers as 64-bit numbers, truth as booleans, texts and categories as arrays of objects."""
    return {str(name): _array(rows[name]) for name in rows.columns}


def _array(column: Any) -> Any:
    values = np.asarray(column)
    return values if values.dtype.kind in "biuf" else values.astype(object)


def _read(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not set(_SKIPPED) & set(path.parts)]
    if links := [path for path in paths if path.is_symlink()]:
        raise Invalid(f"{links[0]} is a link, a file expected", hint="Copy what it points to.")
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    check_names(files)
    return files
