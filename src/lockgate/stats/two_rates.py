"""Are two rates further apart, or closer, than a limit? By melding the exact bounds of each.

For a rate of k events in n trials the lower bounds of Clopper and Pearson at all levels are the quantiles of Beta(k, n − k +
1), the upper ones those of Beta(k + 1, n − k). To show that the first rate is far above the second, draw the first from its
lower and the second from its upper distribution; the chance that they are not that far apart is the p-value. The other way
round to show that they are close. Intervals made so held their level wherever they were looked at, also where nothing happened
in one of the two.

Apart means a difference or a ratio, of the first to the second.

Source: Fay, Proschan and Brittain, "Combining One-Sample Confidence Procedures for Inference in the Two-Sample Case", Biometrics
71(1), 2015. The integral over the second's distribution is a trapezium rule on the logits of its quantiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincc, betaincinv, expit

Floats = NDArray[np.float64]

_LOGITS = np.linspace(-40.0, 40.0, 401)
_QUANTILES = expit(_LOGITS)
_WEIGHTS = _QUANTILES * expit(-_LOGITS) * (_LOGITS[1] - _LOGITS[0])
_HALVINGS = 50
_DECADES = 9.0  # of ratios, up and down


class Rate(NamedTuple):
    events: int
    trials: int


def p_apart(first: Rate, second: Rate, limit: float, *, ratio: bool) -> float:
    """The p-value against "the first is at most `limit` above the second": small if they are further apart."""
    return _no_more(_lower(first), _upper(second), limit, ratio=ratio)


def p_close(first: Rate, second: Rate, limit: float, *, ratio: bool) -> float:
    """The p-value against "the first is at least `limit` above the second": small if they are closer."""
    return 1.0 - _no_more(_upper(first), _lower(second), limit, ratio=ratio)


def bounds(first: Rate, second: Rate, alpha_low: float, alpha_high: float, *, ratio: bool) -> tuple[float, float]:
    """(low, high): the first is further above the second than `low`, but for a chance of alpha_low, and less far than `high`, but
    for one of alpha_high. A ratio without an end is told as 10⁹.
    """
    low = _turn(lambda limit: p_apart(first, second, limit, ratio=ratio) > alpha_low, ratio=ratio)
    high = _turn(lambda limit: p_close(first, second, limit, ratio=ratio) <= alpha_high, ratio=ratio)
    return low, high


class _Beta(NamedTuple):
    """a = 0 is all at 0, b = 0 all at 1."""

    a: float
    b: float

    @property
    def point(self) -> float | None:
        return 0.0 if self.a == 0 else 1.0 if self.b == 0 else None

    def below(self, x: Floats) -> Floats:
        """P(X ≤ x)."""
        if self.point is not None:
            return (x >= self.point).astype(float)
        return np.asarray(betainc(self.a, self.b, np.clip(x, 0.0, 1.0)))

    def above(self, x: float) -> float:
        """P(X ≥ x)."""
        if self.point is not None:
            return float(self.point >= x)
        return float(betaincc(self.a, self.b, min(max(x, 0.0), 1.0)))


def _lower(rate: Rate) -> _Beta:
    return _Beta(rate.events, rate.trials - rate.events + 1)


def _upper(rate: Rate) -> _Beta:
    return _Beta(rate.events + 1, rate.trials - rate.events)


def _no_more(first: _Beta, second: _Beta, limit: float, *, ratio: bool) -> float:
    """P(first ≤ second + limit), or P(first ≤ limit · second)."""
    if first.point is not None and second.point is None:
        return second.above(first.point / limit if ratio and limit > 0 else first.point - limit)
    if second.point is not None:
        reached, weights = np.array([second.point]), np.ones(1)
    else:
        reached, weights = betaincinv(second.a, second.b, _QUANTILES), _WEIGHTS
    return float(np.clip(weights @ first.below(reached * limit if ratio else reached + limit), 0.0, 1.0))


def _turn(holds: Callable[[float], bool], *, ratio: bool) -> float:
    """The limit from which on a condition holds. Ratios are spaced by ratios."""
    low, high = (-_DECADES, _DECADES) if ratio else (-1.0, 1.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(10.0**middle if ratio else middle) else (middle, high)
    return 10.0**high if ratio else high
