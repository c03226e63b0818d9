"""Did it turn bad since? Detectors of a change at an unknown time, from the same bets as the tests.

A test's capital that shrank for weeks has to win all of it back. So a detector starts a new bet at every step, each with a
capital of 1. With L the factor by which a bet multiplies its capital in a step (mean at most 1, given the past, before the
change):

    Shiryaev-Roberts  R = (R + 1)·L, the sum of all bets ever started;   CUSUM  C = max(C, 1)·L, the largest of them.

Both are e-detectors: before a change their mean at any stopping time is at most the mean of that time. So an alarm at 1/α comes,
on average, after 1/α steps at the earliest (the average run length). An average of e-detectors, one for each bet, is one too.

A step is a block of events, with the logarithms of L as its increments (`lockgate.stats.odds.log_growth` of the block), and the
run length counts blocks. A block without events is no step: leave it out, or Shiryaev-Roberts would grow by 1 with each.

Unlike a test, a detector raises a false alarm some day; the bound says how seldom.

Source: Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection" (arXiv:2203.03532).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lockgate.stats.combine import log_mean

Floats: TypeAlias = NDArray[np.float64]

_NOTHING = -1e4  # in place of the logarithm of 0, which JSON cannot write; its exponential is 0


def begin(bets: int) -> Floats:
    """The state of a detector before the first step: logarithms, shape (bets,). Both kinds begin alike."""
    return np.full(bets, _NOTHING)


def shiryaev_roberts(logs: ArrayLike, increments: ArrayLike) -> Floats:
    """The log of R of each bet after a step; both arguments of shape (..., bets)."""
    return _written(np.logaddexp(np.asarray(logs, dtype=float), 0.0) + increments)


def cusum(logs: ArrayLike, increments: ArrayLike) -> Floats:
    """The log of C of each bet after a step; both arguments of shape (..., bets)."""
    return _written(np.maximum(np.asarray(logs, dtype=float), 0.0) + increments)


def alarm(logs: ArrayLike, alpha: float) -> NDArray[np.bool_]:
    """Has the average over the bets reached 1/α? logs of shape (..., bets), returns shape (...)."""
    return np.asarray(log_mean(logs) >= -np.log(alpha))


def _written(logs: Floats) -> Floats:
    return np.maximum(logs, _NOTHING)
