"""Fairness rules as people write them: which rate must be alike in which groups of the held-out examples."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from lockgate.stages.fields import ListOf, Number, Share, Spec

_MOST_COLUMNS = 4


class Rate(StrEnum):
    """A rate of 0/1 outcomes in a group; scores at or above the threshold are answered with yes."""

    SELECTION = "selection_rate"  # yes, of all
    TRUE_POSITIVE = "true_positive_rate"  # yes, of the true ones
    FALSE_NEGATIVE = "false_negative_rate"  # no, of the true ones
    FALSE_POSITIVE = "false_positive_rate"  # yes, of the others
    TRUE_NEGATIVE = "true_negative_rate"  # no, of the others
    ACCURACY = "accuracy"
    ERROR = "error_rate"


EQUALIZED_ODDS = "equalized_odds"  # true and false positive rate both


def one_column(value: Any) -> Any:
    """A single column may stand without a list around it."""
    return (value,) if isinstance(value, str) else value


def _metric(value: Any) -> str:
    known = [*(rate.value for rate in Rate), EQUALIZED_ODDS]
    if value not in known:
        raise ValueError(f"{', '.join(known[:-1])} or {known[-1]} expected")
    return str(value)


class FairnessSpec(Spec):
    """by: columns of the evaluation; of several, every combination that occurs is a group (intersections). max_ratio: of the
    greatest group's rate to the smallest's; max_difference: between them. min_group: examples that a group must have for its
    rate, below which nothing is said. threshold: None: that of `judge: labels:`, else 0.5.
    """

    by: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        Field(min_length=1, max_length=_MOST_COLUMNS),
        ListOf,
        BeforeValidator(one_column),
    ]
    metric: Annotated[str, BeforeValidator(_metric)]
    max_ratio: Annotated[Number, Field(gt=1)] | None = None
    max_difference: Annotated[Share, Field(gt=0, lt=1)] | None = None
    min_group: Annotated[int, Field(ge=20, le=1_000_000_000)] = 100
    threshold: Number | None = None

    @model_validator(mode="after")
    def _has_one_limit(self) -> Self:
        if (self.max_ratio is None) == (self.max_difference is None):
            raise ValueError("either `max_ratio` or `max_difference` expected, which says how unlike groups may be")
        return self

    @property
    def rates(self) -> tuple[Rate, ...]:
        return (Rate.TRUE_POSITIVE, Rate.FALSE_POSITIVE) if self.metric == EQUALIZED_ODDS else (Rate(self.metric),)

    @property
    def limit(self) -> float:
        return self.max_ratio if self.max_ratio is not None else self.max_difference or 0.0

    @property
    def text(self) -> str:
        kind = "max_ratio" if self.max_ratio is not None else "max_difference"
        return f"{self.metric} by {', '.join(self.by)}: {kind} {self.limit:g}"


def one_or_many(value: Any) -> Any:
    """A single rule may stand without a list around it."""
    return (value,) if isinstance(value, dict | FairnessSpec) else value
