"""How a model that is its author's own Python is called: the same where it is packaged and where it answers.

The module is `model.py`, in a folder with whatever files it reads. Its entry is a class, made with that folder (a pathlib.Path)
and asked by its method `predict`, or a function. Either is given the columns by input, arrays of shape (rows,), and answers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.kernel.errors import Invalid

MODULE = "model.py"
_NAME = "lockgate_package_model"  # under which the module finds itself; the one that was imported last

Predict = Callable[[dict[str, NDArray[np.generic]]], Any]


def predictor(folder: Path, entry: str) -> Predict:
    """What answers. Runs the module's code: whatever that raises goes to the caller.

    Raises:
        Invalid: there is no such entry.
    """
    found = getattr(_imported(folder), entry, None)
    if isinstance(found, type):
        found = getattr(found(folder), "predict", None)
    if not callable(found):
        raise Invalid(
            f"{MODULE} has no class {entry!r} with a method predict, and no such function",
            hint="Name the class or function as the model's entry.",
        )
    predict: Predict = found
    return predict


def _imported(folder: Path) -> ModuleType:
    spec = spec_from_file_location(_NAME, folder / MODULE)
    if spec is None or spec.loader is None:
        raise ImportError(f"{MODULE} is no module")
    module = module_from_spec(spec)
    sys.modules[_NAME] = module  # so that its classes are found by their names
    spec.loader.exec_module(module)
    return module
