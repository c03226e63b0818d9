"""Do two arms predict alike? An e-process on binned predictions, with a tolerance.

Bins are classes, or ranges of the score that were fixed beforehand. Null: in every bin the canary's share of predictions is
between 1 / r and r times the baseline's. For each bin two games on the share of events (`lockgate.stats.odds`), a prediction
within the bin being the event, bet against one edge each: on "more than r times", and on "less than 1 / r times". The e-value is
the average over sides and bins, so it is valid however the bins hang together.

It takes the place of a population stability index with a threshold, but may be read at any time. What moves both arms alike
(another mix of requests) does not move it. Different is not worse: a better model predicts differently by design.

Source: Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022 (arXiv:2011.03567), for the game;
Vovk and Wang (arXiv:1912.06116) for the average.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lockgate.stats.combine import log_mean
from lockgate.stats.odds import HIGHER, log_growth

Floats: TypeAlias = NDArray[np.float64]

TOLERANCE = 1.25
_FEWER = tuple(1 / odds for odds in HIGHER)


def log_e_by_bin(weight: ArrayLike, events: ArrayLike, canary_events: ArrayLike, ratio: float = TOLERANCE) -> Floats:
    """For each bin the log e-value against "its share differs by a factor of at most `ratio` between the arms".

    weight: shape (weights,). events, canary_events: shape (..., bins, weights), predictions of both arms and of the canary in a
    bin while its weight was `weight`. Returns shape (..., bins).

    Raises:
        ValueError: the ratio is below 1.
    """
    if ratio < 1:
        raise ValueError(f"the tolerated ratio must be at least 1; found {ratio}")
    more = log_mean(log_growth(weight, events, canary_events, ratio, HIGHER).sum(axis=-2))
    less = log_mean(log_growth(weight, events, canary_events, 1 / ratio, _FEWER).sum(axis=-2))
    return log_mean(np.stack([more, less], axis=-1))


def log_e_differs(weight: ArrayLike, events: ArrayLike, canary_events: ArrayLike, ratio: float = TOLERANCE) -> Floats:
    """Log e-value against "no bin's share differs by more than a factor of `ratio` between the arms"; `log_e_by_bin` averaged."""
    return log_mean(log_e_by_bin(weight, events, canary_events, ratio))
