"""A model that learns, in pure Python: a logistic regression whose package is one file of JSON that anybody can read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import exp
from typing import Any

from lockgate.boundary.manifest import Manifest
from lockgate.boundary.routes import is_true
from lockgate.kernel.digest import canonical_json
from lockgate.kernel.errors import Invalid

RUNTIME = "memory"
FILE = "model.json"
_STEEPEST = 30.0  # of the sum, either way: beyond it the probability is 0 or 1


def weights(rate: float = 0.1, bias: float = 0.0, **by_input: float) -> bytes:
    """The file of a model. rate: how far one row moves it."""
    return canonical_json({"rate": rate, "bias": bias, "weights": by_input})


class MemoryLearners:
    """A ports.learners.Learners for packages of the runtime "memory"."""

    def open(self, manifest: Manifest, files: Mapping[str, bytes]) -> MemoryLearner:
        del manifest
        try:
            told = json.loads(files[FILE])
            return MemoryLearner(
                float(told["rate"]), float(told["bias"]), {name: float(w) for name, w in told["weights"].items()}
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Invalid(f"{FILE} holds no weights: {type(error).__name__}: {error}") from error


class MemoryLearner:
    """Learns by gradient descent on the logarithmic loss, a row at a time. Values that are no numbers make it raise."""

    def __init__(self, rate: float, bias: float, by_input: Mapping[str, float]) -> None:
        self._rate = rate
        self._bias = bias
        self._weights = dict(by_input)

    def score(self, row: Mapping[str, Any]) -> float:
        total = self._bias + sum(self._weights.get(name, 0.0) * value for name, value in _numbers(row))
        return 1.0 / (1.0 + exp(-max(-_STEEPEST, min(_STEEPEST, total))))

    def learn(self, row: Mapping[str, Any], label: float) -> None:
        step = self._rate * (is_true(label) - self.score(row))
        self._bias += step
        for name, value in _numbers(row):
            self._weights[name] = self._weights.get(name, 0.0) + step * value

    def files(self) -> dict[str, bytes]:
        return {FILE: weights(self._rate, self._bias, **self._weights)}


def _numbers(row: Mapping[str, Any]) -> list[tuple[str, float]]:
    """In the order of names, so that sums are rounded alike."""
    if wrong := [name for name, value in row.items() if not isinstance(value, int | float)]:
        raise Invalid(f"{', '.join(wrong)} hold no numbers, from which alone this model learns")
    return [(name, float(row[name])) for name in sorted(row)]
