"""The outputs of a signature from models that answer in one way only: a program, a function, a file of MLflow's.

By default an answer is the outputs: one array for one output, a tuple of them in the signature's order, or a mapping by name.
With a `method` it is one array that the outputs are made of: predict (as it is), predict_proba (a probability of the positive
class, or one for each class), argmax (the more probable class).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.boundary.manifest import Signature, names
from lockgate.runtimes import frames
from lockgate.runtimes.model import Array, RuntimeFailure

_METHODS = ("predict", frames.PROBABILITIES)


class Outputs:
    """Raises Invalid if methods and outputs do not go together."""

    def __init__(self, signature: Signature, method: str | Sequence[str] | None, classes: Sequence[Any] | None) -> None:
        self._names = names(signature.outputs)
        self._is_one = method is not None
        known = _METHODS if method is not None else self._names
        self._answers = frames.Answers(signature, method or self._names, known, classes)

    def arrays(self, answer: Any, rows: int) -> list[Array]:
        """One array for each output, with its datatype and shape.

        Raises:
            RuntimeFailure: the answer has other parts, another shape, or values that a datatype cannot hold (kind: output).
        """
        said = _by_method(answer) if self._is_one else self._by_name(answer)
        return self._answers.arrays(said.__getitem__, rows)

    def _by_name(self, answer: Any) -> Mapping[str, Any]:
        if isinstance(answer, Mapping):
            if missing := [name for name in self._names if name not in answer]:
                raise RuntimeFailure(f"the model does not answer {', '.join(missing)}", kind="output")
            return answer
        several = answer if isinstance(answer, tuple) else (answer,)
        if len(several) != len(self._names):
            raise RuntimeFailure(f"{len(several)} answers found, {', '.join(self._names)} expected", kind="output")
        return dict(zip(self._names, several, strict=True))


def _by_method(answer: Any) -> dict[str, Array]:
    several = tuple(answer.values()) if isinstance(answer, Mapping) else answer if isinstance(answer, tuple) else (answer,)
    if len(several) != 1:
        raise RuntimeFailure(f"{len(several)} answers found, one array expected", kind="output")
    array = np.asarray(several[0])
    flat = array.reshape(-1) if array.shape[1:] == (1,) else array
    return {"predict": array, frames.PROBABILITIES: frames.two_columns(flat)}
