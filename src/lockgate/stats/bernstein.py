"""A mean of bounded values with an interval that holds at all times at once: the predictable plug-in empirical Bernstein one.

Each value x in [0, 1] is weighted by a λ that was fixed before it was seen. Then, for all times together with probability at
least 1 − α, the mean lies within

    Σ λ·x / Σ λ  ±  (ln(2/α) + Σ v·ψ(λ)) / Σ λ,   v = 4·(x − mean before x)²,   ψ(λ) = (−ln(1 − λ) − λ) / 4,

    λ = min(½, √(2·ln(2/α) / (variance before x · t·ln(1 + t)))) for the t-th value.

It narrows as the variance allows, and needs no grid of edges. Where the mean moves, it covers the mean of the means so far,
weighted by λ; so ends of different times are not intersected. The order of the values counts.

Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86(1), 2024
(arXiv:2010.09686), theorem 2, with c = ½.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from lockgate.stats.moments import Floats, Moments, Numbers, predicted, running, unit_values

_BOLDEST = 0.5


@dataclass(frozen=True, slots=True)
class MeanSequence:
    """What the interval is made from, in plain numbers. `MeanSequence(alpha)` is the beginning.

    weights: Σ λ. weighted: Σ λ·x. cost: Σ v·ψ(λ).
    """

    alpha: float
    seen: Moments = field(default_factory=Moments)
    weights: Numbers = 0.0
    weighted: Numbers = 0.0
    cost: Numbers = 0.0


def step(state: MeanSequence, value: ArrayLike) -> MeanSequence:
    """The state after one more value, from [0, 1]; an array holds one value for each stream."""
    return fold(state, np.asarray(value, dtype=float)[..., np.newaxis])


def fold(state: MeanSequence, values: ArrayLike) -> MeanSequence:
    """The state after more values, from [0, 1]; the last axis is time. The same, to rounding, as step after step.

    Raises:
        ValueError: a value is not in [0, 1].
    """
    xs = unit_values(values)
    means, variances, seen = predicted(state.seen, xs)
    t = state.seen.n + 1 + np.arange(xs.shape[-1])
    bets = np.minimum(np.sqrt(2 * np.log(2 / state.alpha) / (variances * t * np.log1p(t))), _BOLDEST)
    costs = (xs - means) ** 2 * (-np.log1p(-bets) - bets)
    return replace(
        state,
        seen=seen,
        weights=_added(state.weights, bets),
        weighted=_added(state.weighted, bets * xs),
        cost=_added(state.cost, costs),
    )


def interval(state: MeanSequence) -> tuple[Floats, Floats]:
    """Lower and upper ends; (0, 1) before the first value."""
    if state.seen.n == 0:
        return np.zeros(()), np.ones(())
    weights = np.asarray(state.weights)
    middle = np.asarray(state.weighted) / weights
    radius = (np.log(2 / state.alpha) + np.asarray(state.cost)) / weights
    return np.maximum(middle - radius, 0.0), np.minimum(middle + radius, 1.0)


def _added(start: Numbers, increments: Floats) -> Floats:
    return np.asarray(running(start, increments)[..., -1])
