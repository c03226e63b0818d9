"""How far the data that a model learned from may be from what production asks, as people write it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lockgate.stages.fields import Features, Number, Spec


class SkewSpec(Spec):
    """max: the population stability index that each of the features may reach. min_rows: recorded ones, below which nothing is
    said.
    """

    max: Annotated[Number, Field(gt=0)]
    features: Features = "all"
    min_rows: Annotated[int, Field(ge=100, le=20_000)] = 1000
