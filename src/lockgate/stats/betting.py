"""Is a mean of bounded values above or below an edge? Capital that is won by betting on the values, one after the other.

A bet of λ multiplies the capital by 1 + λ·(x − edge). Where λ was fixed before x was seen and is not negative, the mean of that
is at most 1 as long as the mean of x, given the past, is at most the edge: such capital is an e-process against "the mean is at
most the edge". With λ ≤ 0 it is one against "at least". The values need be neither independent nor alike. Their order counts:
feed them in the order in which they came.

The bets are aGRAPA, an approximation to the bet that would have made the capital grow fastest so far:

    λ = (mean − edge) / (variance + (mean − edge)²), cut to [0, ¾ / edge], or to [−¾ / (1 − edge), 0],

with mean and variance of what was seen before. Cut at ¾, no value takes more than three quarters of the capital.

Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86(1), 2024
(arXiv:2010.09686): the capital process and, in the appendix on betting strategies, aGRAPA.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from lockgate.stats.moments import Floats, Moments, Numbers, predicted, running, unit_values

_BOLDEST = 0.75


@dataclass(frozen=True, slots=True)
class Capital:
    """Two capitals at one edge, of plain numbers. `Capital(edge)` is the beginning.

    edge: between 0 and 1; an array for many edges at once, or one for each stream.
    seen: what the bets are made from.
    log_at_most, log_at_least: log e-values against "the mean is at most `edge`" and against "at least `edge`".
    """

    edge: Numbers
    seen: Moments = field(default_factory=Moments)
    log_at_most: Numbers = 0.0
    log_at_least: Numbers = 0.0

    def __post_init__(self) -> None:
        edges = np.asarray(self.edge, dtype=float)
        if not np.all((edges > 0) & (edges < 1)):
            raise ValueError(f"an edge must lie between 0 and 1, both excluded; found {edges.tolist()}")


def step(state: Capital, value: ArrayLike) -> Capital:
    """The capitals after one more value, from [0, 1]; an array holds one value for each stream."""
    return fold(state, np.asarray(value, dtype=float)[..., np.newaxis])


def fold(state: Capital, values: ArrayLike) -> Capital:
    """The capitals after more values, from [0, 1]; the last axis is time. The same, to rounding, as step after step.

    Raises:
        ValueError: a value is not in [0, 1].
    """
    xs = unit_values(values)
    means, variances, seen = predicted(state.seen, xs)
    edge = np.asarray(state.edge, dtype=float)[..., np.newaxis]
    bets = (means - edge) / (variances + (means - edge) ** 2)
    up, down = np.clip(bets, 0, _BOLDEST / edge), np.clip(bets, -_BOLDEST / (1 - edge), 0)
    return replace(
        state,
        seen=seen,
        log_at_most=_grown(state.log_at_most, up * (xs - edge)),
        log_at_least=_grown(state.log_at_least, down * (xs - edge)),
    )


def _grown(logs: Numbers, gains: Floats) -> Floats:
    return np.asarray(running(logs, np.log1p(gains))[..., -1])
