"""A rate with an interval that holds at all times at once, so that a page may be read as often as one likes.

The interval holds every p whose Beta-binomial mixture martingale stays below 1/α:

    B(½ + s, ½ + n − s) / B(½, ½) / (p^s·(1 − p)^(n − s)) < 1/α.

By Ville's inequality it covers the true rate for all n together with probability at least 1 − α. Source: Howard, Ramdas,
McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49(2), 2021
(arXiv:1810.08240).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, expit

_A = _B = 0.5
_STEPS = 16  # Newton's, from afar to a double's precision

Floats = NDArray[np.float64]


def rate_interval(trials: ArrayLike, events: ArrayLike, alpha: float = 0.05) -> tuple[Floats, Floats]:
    """Lower and upper ends after `events` in `trials` (arrays broadcast); (0, 1) where there are no trials.

    In the logit θ of p the logarithm of the martingale is n·log(1 + e^θ) − s·θ + a constant, which is convex: Newton's steps find
    where it reaches log(1/α), on either side of its smallest value.
    """
    n, s = np.broadcast_arrays(np.asarray(trials, float), np.asarray(events, float))
    constant = betaln(_A + s, _B + n - s) - betaln(_A, _B) + np.log(alpha)
    middle, wide = np.log((s + 0.5) / (n - s + 0.5)), 12.0 / np.sqrt((s + 0.5) * (n - s + 0.5) / (n + 1.0))
    logit = np.stack([middle - wide, middle + wide])
    with np.errstate(divide="ignore", invalid="ignore"):  # at 0 and n events an end has no logit, and is known
        for _ in range(_STEPS):
            logit = logit - (n * np.logaddexp(0.0, logit) - s * logit + constant) / (n * expit(logit) - s)
    low, high = expit(logit)
    return np.where(s == 0, 0.0, low), np.where(s == n, 1.0, high)
