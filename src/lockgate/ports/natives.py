"""A model in its own library's format: what the packager asks of each library's island, since it knows none of them itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = Callable[[Any], NDArray[np.float64]]
"""A pandas.DataFrame of features → the score of each row: the positive class's probability, or the prediction; shape (rows,)."""


@dataclass(frozen=True, slots=True)
class Native:
    """runtime: the one of the data plane that reads `files`. classes: of a classifier, two of them; None: a regressor.

    options: for the runtime, but its `method`. environment: library → version, of those that made the files. original: the model
    as the pipeline made it. again: the model as it is read back from the files. labels: the classes that a classifier's own
    `predict` gives, where that may be another than the more probable one. requirements: pinned ones that the model itself names,
    for an environment of its own; the project's take their place.
    """

    runtime: str
    files: dict[str, bytes]
    classes: tuple[Any, ...] | None
    options: dict[str, Any]
    environment: dict[str, str]
    original: Scores
    again: Scores
    labels: Callable[[Any], Sequence[Any]] | None = None
    requirements: tuple[str, ...] = ()


MakeNative = Callable[[Any, Mapping[str, Sequence[Any]], Mapping[str, str]], Native]
"""(model, levels of the columns that hold categories, dtypes of columns that are neither text, int64 nor float64) → Native.

Raises Invalid if the model is none that can be judged, or cannot be stored.
"""
