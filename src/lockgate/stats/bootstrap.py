"""Bootstrap intervals: how far a figure could be from the truth, judged by resampling the examples it was measured on.

Efron's bootstrap (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13: percentile intervals), written with
weights: a resample is how often each example was drawn. A figure that is computed from weights can so be computed for many
resamples at once, and two models measured under the same weights are compared in pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Figure = Callable[[Counts], Floats]  # weights (draws, n) → figures (draws,)

CONFIDENCE = 0.95  # two-sided: each end is missed in 2.5 % of cases
POWER = 0.8
DRAWS = 2000
_FEWEST_DRAWS = 400  # 10 resamples beyond each end
_BUDGET = 40_000_000  # weights in all: about two seconds
_AT_ONCE = 200_000  # weights in one block: what fits into a processor cache is twice as quick


@dataclass(frozen=True, slots=True)
class Interval:
    """The figure itself, the ends of its interval, and the standard error."""

    point: float
    low: float
    high: float
    error: float

    def detectable(self, confidence: float = CONFIDENCE, power: float = POWER) -> float:
        """How far from a limit the true figure must lie for the interval to clear that limit with probability `power`."""
        return float((ndtri(0.5 + confidence / 2) + ndtri(power)) * self.error)


def draws_for(n: int) -> int:
    """How many resamples of n examples: 2,000, fewer where that would take too long, never under 400."""
    return int(np.clip(_BUDGET // max(n, 1), _FEWEST_DRAWS, DRAWS))


def resamples(n: int, draws: int, seed: int) -> Iterator[Counts]:
    """Weights of `draws` resamples of n examples, in blocks of shape (some, n); every row sums to n. One seed, one sequence."""
    random = np.random.default_rng(seed)
    at_once = max(1, _AT_ONCE // max(n, 1))
    for start in range(0, draws, at_once):
        rows = min(at_once, draws - start)
        drawn = random.integers(0, n, size=(rows, n))
        drawn += np.arange(rows)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)


def resampled(figure: Figure, n: int, *, seed: int, draws: int | None = None) -> tuple[float, Floats]:
    """The figure of the examples as they are, and of each resample. draws: None: as many as so many examples bear."""
    point = float(figure(np.ones((1, n), dtype=np.int64))[0])
    return point, np.concatenate([figure(weights) for weights in resamples(n, draws or draws_for(n), seed)])


def interval(point: float, figures: Floats, confidence: float = CONFIDENCE) -> Interval:
    """The percentile interval of resampled figures. Resamples without a figure (NaN: a class was not drawn) are left out.

    Raises:
        ValueError: no resample has a figure.
    """
    known = figures[np.isfinite(figures)]
    if len(known) == 0:
        raise ValueError("no resample has a figure")
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return Interval(point, float(low), float(high), float(known.std()))
