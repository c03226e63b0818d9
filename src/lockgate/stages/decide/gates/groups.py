"""Groups of held-out examples, and how often something happens in each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lockgate.domain.evaluation import Evaluation
from lockgate.stages.decide.fairness_spec import Rate
from lockgate.stages.decide.gates.metrics import Examples
from lockgate.stats import two_rates

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Group:
    """Examples with the same values in the columns, and of those that the rate is about, how many there are and were hit."""

    name: str
    trials: int
    hits: int

    @property
    def counts(self) -> two_rates.Rate:
        return two_rates.Rate(self.hits, self.trials)

    @property
    def rate(self) -> float:
        return self.hits / self.trials if self.trials else float("nan")


def groups(evaluation: Evaluation, columns: Sequence[str], rate: Rate, threshold: float) -> list[Group]:
    """In the order of their names. columns: slices of the evaluation."""
    about, hit = _outcomes(Examples.of(evaluation), rate, threshold)
    names = [" × ".join(values) for values in zip(*(evaluation.slices[column] for column in columns), strict=True)]
    found, place = np.unique(np.asarray(names, dtype=object), return_inverse=True)
    trials = np.bincount(place[about], minlength=len(found))
    hits = np.bincount(place[about & hit], minlength=len(found))
    return [Group(str(name), int(n), int(k)) for name, n, k in zip(found, trials, hits, strict=True)]


def _outcomes(examples: Examples, rate: Rate, threshold: float) -> tuple[Bools, Bools]:
    """(which examples the rate is about, which of all examples are hits)."""
    yes, true = examples.prediction >= threshold, examples.label == 1
    every = np.ones(len(examples), dtype=bool)
    return {
        Rate.SELECTION: (every, yes),
        Rate.TRUE_POSITIVE: (true, yes),
        Rate.FALSE_NEGATIVE: (true, ~yes),
        Rate.FALSE_POSITIVE: (~true, yes),
        Rate.TRUE_NEGATIVE: (~true, ~yes),
        Rate.ACCURACY: (every, yes == true),
        Rate.ERROR: (every, yes != true),
    }[rate]
