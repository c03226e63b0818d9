"""Which arm is the best, how surely, and which share of the units should each arm get for that?

Of each arm's rate we know a Beta posterior, from a uniform prior. The probability that arm k has the highest rate is

    P_k = E[ Π_{j≠k} F_j(X_k) ],   X_k from k's posterior, F_j the distribution function of j's,

taken over X_k's quantiles at the midpoints of 400 equal parts: no random numbers, so the same counts give the same shares.

Thompson sampling deals out units by P_k. Top-two Thompson sampling draws the best arm as above, and with probability ½ passes on
to the arm that would be best without it; so arm k's share is ½·P_k + ½·Σ_{j≠k} P_j·P_k / (1 − P_j). It explores more, and finds
out sooner which arm is best. Source: Russo, "Simple Bayesian algorithms for best arm identification", COLT 2016
(arXiv:1602.08448).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv

Floats: TypeAlias = NDArray[np.float64]

_PARTS = 400
_LEAST = 1e-6  # of a probability, so that the share of what is all but certainly best can be passed on
_POINTS = 100


def best_probabilities(trials: ArrayLike, events: ArrayLike, *, most: bool) -> Floats:
    """The probability of each arm to have the highest rate (`most`) or the lowest; shapes (..., arms)."""
    n, s = np.asarray(trials, float), np.asarray(events, float)
    a, b = (1 + s, 1 + n - s) if most else (1 + n - s, 1 + s)  # the lowest rate of events is the highest of the others
    middles = (np.arange(_PARTS) + 0.5) / _PARTS
    arms = a.shape[-1]
    found = np.empty(a.shape)
    for k in range(arms):
        at = betaincinv(a[..., k, np.newaxis], b[..., k, np.newaxis], middles)
        above_all = np.ones(at.shape)
        for j in (j for j in range(arms) if j != k):
            above_all *= betainc(a[..., j, np.newaxis], b[..., j, np.newaxis], at)
        found[..., k] = above_all.mean(axis=-1)
    return np.asarray(found / found.sum(axis=-1, keepdims=True))


def top_two(best: ArrayLike) -> Floats:
    """Shares of top-two Thompson sampling, from the arms' probabilities to be best; shapes (..., arms)."""
    p = np.maximum(np.asarray(best, float), _LEAST)
    p = p / p.sum(axis=-1, keepdims=True)
    odds = p / (1 - p)
    return np.asarray((p + p * (odds.sum(axis=-1, keepdims=True) - odds)) / 2)


def floored(shares: ArrayLike, floor: float) -> Floats:
    """The shares in whole per cents, none below `floor`; shape (arms,). They add up to 1: what rounding leaves goes to the
    largest remainders.

    Raises:
        ValueError: so high a floor leaves nothing to deal out.
    """
    wanted = np.asarray(shares, float)
    least = int(np.ceil(round(floor * _POINTS, 9)))
    spare = _POINTS - least * len(wanted)
    if spare < 0:
        raise ValueError(f"a floor of {floor} found, at most {1 / len(wanted):.3f} expected: there are {len(wanted)} arms")
    dealt = wanted / wanted.sum() * spare
    points = np.floor(dealt)
    most = np.argsort(points - dealt, kind="stable")[: int(spare - points.sum())]
    points[most] += 1
    return np.asarray((points + least) / _POINTS)
