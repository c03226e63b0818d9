"""Limits of what held-out rows may have in common with those that were learned, as people write them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lockgate.stages.fields import Number, Share, Spec


class SplitSpec(Spec):
    """max_overlap: share of the held-out rows whose features a training row has too. max_single_feature: how well one feature
    alone may tell the label, as an AUC or as a share of the variance.
    """

    max_overlap: Annotated[Share, Field(ge=0, lt=1)] | None = None
    max_single_feature: Annotated[Number, Field(gt=0, lt=1)] | None = None

    @property
    def limits(self) -> dict[str, float]:
        """Those that are set, by name."""
        return {name: limit for name in type(self).model_fields if (limit := getattr(self, name)) is not None}
