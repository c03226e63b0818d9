"""Where a model may be worse than elsewhere, and by how much, as people write it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from lockgate.stages.fields import Number, Spec


class Loss(StrEnum):
    """What an example adds to the figure that slices are compared by; the more, the worse."""

    BRIER = "brier"
    LOG_LOSS = "log_loss"
    ERROR = "error_rate"  # a label on the other side of the threshold than its score
    ABSOLUTE = "mae"


class SlicesSpec(Spec):
    """Search for the slices in which the loss is highest. max_ratio: of a slice's mean loss to that of all other examples;
    max_difference: between them. With neither, what is found is told and refuses nothing. metric: None: brier for probabilities,
    else mae. threshold: of error_rate; None: that of `judge: labels:`, else 0.5. min_slice: examples that a slice must have.
    """

    metric: Annotated[Loss, Field(strict=False)] | None = None
    max_ratio: Annotated[Number, Field(gt=1)] | None = None
    max_difference: Annotated[Number, Field(gt=0)] | None = None
    min_slice: Annotated[int, Field(ge=50, le=1_000_000_000)] = 200
    threshold: Number | None = None

    @model_validator(mode="after")
    def _has_one_limit_at_most(self) -> Self:
        if self.max_ratio is not None and self.max_difference is not None:
            raise ValueError("either `max_ratio` or `max_difference` expected, not both")
        return self

    @property
    def text(self) -> str:
        if self.max_ratio is not None:
            return f"worst slice: max_ratio {self.max_ratio:g}"
        return f"worst slice: max_difference {self.max_difference:g}" if self.max_difference is not None else "worst slice"
