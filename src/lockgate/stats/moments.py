"""Mean and variance of values in [0, 1] as they were known before each of them: what a bet on the next value may use.

After t values the mean is taken as (½ + Σ x_i) / (t + 1) and the variance as (¼ + Σ (x_i − mean_i)²) / (t + 1), mean_i being
the mean after i values: one imagined value of ½ with a variance of ¼ stands before the first. Both are those of Waudby-Smith
and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86(1), 2024 (arXiv:2010.09686).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = float | Floats  # one stream, or an array with a number for each stream

_MEAN, _VARIANCE = 0.5, 0.25  # of the imagined value


@dataclass(frozen=True, slots=True)
class Moments:
    """Of the values seen: how many, their sum, and the sum of their squared deviations, each from the mean of its time."""

    n: int = 0
    total: Numbers = 0.0
    squares: Numbers = 0.0


def predicted(seen: Moments, values: Floats) -> tuple[Floats, Floats, Moments]:
    """Mean and variance before each value, both of the shape of `values` (streams, time), and the moments after the last."""
    n = seen.n + np.arange(values.shape[-1] + 1)
    totals = running(seen.total, values)
    means = (_MEAN + totals) / (n + 1)
    squares = running(seen.squares, (values - means[..., 1:]) ** 2)
    variances = (_VARIANCE + squares) / (n + 1)
    return means[..., :-1], variances[..., :-1], Moments(int(n[-1]), totals[..., -1], squares[..., -1])


def running(start: Numbers, increments: Floats) -> Floats:
    """Running sums over the last axis that go on from `start`, and begin with it: one longer than `increments`."""
    first = np.broadcast_to(np.asarray(start, dtype=float)[..., np.newaxis], (*increments.shape[:-1], 1))
    return np.add.accumulate(np.concatenate([first, increments], axis=-1), axis=-1)


def unit_values(values: ArrayLike) -> Floats:
    """The values as an array.

    Raises:
        ValueError: one of them is not in [0, 1].
    """
    found = np.asarray(values, dtype=float)
    outside = found[~((found >= 0) & (found <= 1))]
    if outside.size:
        raise ValueError(f"values must lie in [0, 1]; found {outside.flat[0]}: scale them by bounds that are known beforehand")
    return found
