"""The metrics that a gate can ask for: what each needs, which way is better, how it is computed under many weights at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evaluation import Evaluation
from lockgate.stats.bootstrap import Figure
from lockgate.stats.ranking import Ranking

Floats = NDArray[np.float64]
EVENT_RATE = "event_rate"
CUT = 0.5  # the accuracy's threshold
FEWEST = 100  # examples: below this, percentile intervals are too narrow
_TINY = float(np.finfo(np.float64).eps)  # a probability of exactly 0 or 1 would make one wrong answer infinitely bad


class Need(StrEnum):
    """What a metric asks of predictions and labels."""

    NUMBERS = "numbers"
    CLASSES = "labels that are 0 or 1"
    PROBABILITIES = "labels that are 0 or 1, and predictions between 0 and 1"


@dataclass(frozen=True, slots=True)
class Examples:
    """The columns of an evaluation as arrays, shape (n,)."""

    prediction: Floats
    label: Floats

    @classmethod
    def of(cls, evaluation: Evaluation) -> Examples:
        return cls(np.asarray(evaluation.prediction, dtype=np.float64), np.asarray(evaluation.label, dtype=np.float64))

    def __len__(self) -> int:
        return len(self.label)

    def at(self, rows: NDArray[np.intp]) -> Examples:
        return Examples(self.prediction[rows], self.label[rows])

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.prediction).all() and np.isfinite(self.label).all())

    @property
    def binary(self) -> bool:
        return bool(np.isin(self.label, (0.0, 1.0)).all())

    @property
    def probabilities(self) -> bool:
        return bool(((self.prediction >= 0) & (self.prediction <= 1)).all())

    @property
    def smaller_class(self) -> int:
        positives = int(np.count_nonzero(self.label))
        return min(positives, len(self) - positives)


@dataclass(frozen=True, slots=True)
class Metric:
    """unit_range: whether the value, and what each example (or pair of examples) adds to it, lies between 0 and 1."""

    name: str
    needs: Need
    larger_is_better: bool
    unit_range: bool
    figure: Callable[[Examples], Figure]

    def why_not(self, examples: Examples) -> str | None:
        """Why this metric cannot be computed of these examples, or None if it can."""
        if not examples.finite:
            return "predictions or labels are missing or infinite"
        if self.needs is not Need.NUMBERS and not examples.binary:
            other = np.setdiff1d(examples.label, (0.0, 1.0))
            return f"{self.name} needs {self.needs}; {len(other)} other values are among the labels, such as {other[0]:g}"
        if self.needs is Need.PROBABILITIES and not examples.probabilities:
            low, high = examples.prediction.min(), examples.prediction.max()
            return f"{self.name} needs {self.needs}; predictions reach from {low:g} to {high:g}"
        return None

    @property
    def sign(self) -> float:
        return 1.0 if self.larger_is_better else -1.0

    def value(self, examples: Examples) -> float:
        return float(self.figure(examples)(np.ones((1, len(examples)), dtype=np.int64))[0])


def _auc(examples: Examples) -> Figure:
    return Ranking.of(examples.prediction, examples.label == 1).auc


def _mean(losses: Floats) -> Figure:
    return lambda weights: (weights.astype(np.float64) @ losses) / len(losses)


def _accuracy(examples: Examples) -> Figure:
    return _mean(((examples.prediction >= CUT) == (examples.label == 1)).astype(np.float64))


def _brier(examples: Examples) -> Figure:
    return _mean((examples.prediction - examples.label) ** 2)


def _log_loss(examples: Examples) -> Figure:
    probability = np.clip(examples.prediction, _TINY, 1 - _TINY)
    return _mean(-np.log(np.where(examples.label == 1, probability, 1 - probability)))


def _mae(examples: Examples) -> Figure:
    return _mean(np.abs(examples.prediction - examples.label))


def _rmse(examples: Examples) -> Figure:
    squared = _mean((examples.prediction - examples.label) ** 2)
    return lambda weights: np.sqrt(squared(weights))


def _event_rate(event: LabelEvent) -> Callable[[Examples], Figure]:
    def figure(examples: Examples) -> Figure:
        happened = map(event.happened, examples.prediction.tolist(), examples.label.tolist())
        return _mean(np.fromiter(happened, dtype=np.float64, count=len(examples)))

    return figure


_METRICS = (
    Metric("auc", Need.CLASSES, larger_is_better=True, unit_range=True, figure=_auc),
    Metric("accuracy", Need.PROBABILITIES, larger_is_better=True, unit_range=True, figure=_accuracy),
    Metric("brier", Need.PROBABILITIES, larger_is_better=False, unit_range=True, figure=_brier),
    Metric("log_loss", Need.PROBABILITIES, larger_is_better=False, unit_range=False, figure=_log_loss),
    Metric("mae", Need.NUMBERS, larger_is_better=False, unit_range=False, figure=_mae),
    Metric("rmse", Need.NUMBERS, larger_is_better=False, unit_range=False, figure=_rmse),
)


def known_metrics(label_event: LabelEvent | None) -> dict[str, Metric]:
    """By name; `event_rate` is there when the project declares the event that production is judged by."""
    known = {metric.name: metric for metric in _METRICS}
    if label_event is None:
        return known
    needs = Need.NUMBERS if label_event.of_numbers else Need.CLASSES
    rate = Metric(EVENT_RATE, needs, larger_is_better=False, unit_range=True, figure=_event_rate(label_event))
    return known | {EVENT_RATE: rate}


def metrics(evaluation: Evaluation, label_event: LabelEvent | None = None) -> dict[str, float]:
    """What can be said of the held-out examples, and how many there are (`n`).

    Labels that are 0 or 1: auc (with both classes), accuracy at 0.5, brier and log_loss (of probabilities). Other labels: mae and
    rmse. With an event event_rate, for which labels must be 0 or 1 unless it reads them as numbers. What cannot be computed is
    left out.
    """
    examples = Examples.of(evaluation)
    measured = {"n": float(len(examples))}
    if len(examples) == 0:
        return measured
    numeric = not examples.binary
    known = known_metrics(label_event).values()
    fitting = [one for one in known if one.name == EVENT_RATE or (one.needs is Need.NUMBERS) is numeric]
    values = {metric.name: metric.value(examples) for metric in fitting if metric.why_not(examples) is None}
    return measured | {name: value for name, value in values.items() if np.isfinite(value)}
