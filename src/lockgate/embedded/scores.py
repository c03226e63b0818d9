"""Read the judged score out of a model's outputs, and refuse outputs that are not what the signature promises."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.embedded.signature import Signature, names
from lockgate.kernel.errors import Invalid

Array = NDArray[Any]
_LARGEST = float(np.finfo(np.float32).max)  # prediction ids keep scores as FP32


class Scorer:
    def __init__(self, signature: Signature) -> None:
        if signature.score not in names(signature.outputs):
            raise Invalid(f"the score {signature.score!r} is none of the outputs: {', '.join(names(signature.outputs))}")
        self._index = names(signature.outputs).index(signature.score)
        self._column = signature.score_column
        self._names = names(signature.outputs)
        self._ranks = tuple(len(tensor.shape) for tensor in signature.outputs)

    def scores(self, outputs: Sequence[Array], rows: int) -> list[float]:
        """One score for each row.

        Raises:
            Invalid: an output has the wrong shape, or a score is not a finite number.
        """
        column = self._judged(outputs, rows)
        try:
            scores = [float(score) for score in column.tolist()]
        except (ValueError, TypeError) as error:
            raise self._no_score(error) from error
        for score in scores:
            if not (isfinite(score) and -_LARGEST <= score <= _LARGEST):
                raise Invalid(f"a score is {score}, which is not a finite FP32 number")
        return scores

    def array(self, outputs: Sequence[Array], rows: int) -> NDArray[np.float64]:
        """The same, for many rows: shape (rows,).

        Raises:
            Invalid: as `scores`.
        """
        try:
            scores = self._judged(outputs, rows).astype(np.float64)
        except (ValueError, TypeError) as error:
            raise self._no_score(error) from error
        within = np.abs(scores) <= _LARGEST  # False if it is no number
        if not within.all():
            raise Invalid(f"a score is {scores[~within][0]}, which is not a finite FP32 number")
        return scores

    def _judged(self, outputs: Sequence[Array], rows: int) -> Array:
        for name, rank, output in zip(self._names, self._ranks, outputs, strict=True):
            shape = np.shape(output)
            if len(shape) != rank or shape[0] != rows:
                raise Invalid(f"output {name!r} has shape {list(shape)} for {rows} rows")
        judged = outputs[self._index]
        try:
            return judged if judged.ndim == 1 else judged[:, self._column]
        except IndexError as error:
            raise self._no_score(error) from error

    def _no_score(self, error: Exception) -> Invalid:
        return Invalid(f"output {self._names[self._index]!r} holds no score in column {self._column}: {error}")
