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
from scipy.special import betaln, xlog1py, xlogy

_A = _B = 0.5
_HALVINGS = 60  # more than a double's precision

Floats = NDArray[np.float64]


def rate_interval(trials: ArrayLike, events: ArrayLike, alpha: float = 0.05) -> tuple[Floats, Floats]:
    """Lower and upper ends after `events` in `trials` (arrays broadcast); (0, 1) where there are no trials."""
    n, s = np.broadcast_arrays(np.asarray(trials, float), np.asarray(events, float))
    middle = np.divide(s, n, out=np.full(n.shape, 0.5), where=n > 0)
    low = _edge(n, s, alpha, np.zeros(n.shape), middle)
    high = _edge(n, s, alpha, np.ones(n.shape), middle)
    return np.where(s == 0, 0.0, low), np.where(s == n, 1.0, high)


def _edge(n: Floats, s: Floats, alpha: float, outside: Floats, inside: Floats) -> Floats:
    """Where the martingale reaches 1/α between a point outside the interval and one inside."""
    mixture = betaln(_A + s, _B + n - s) - betaln(_A, _B)
    for _ in range(_HALVINGS):
        p = (outside + inside) / 2
        refuted = mixture - xlogy(s, p) - xlog1py(n - s, -p) >= -np.log(alpha)
        outside, inside = np.where(refuted, p, outside), np.where(refuted, inside, p)
    return outside
