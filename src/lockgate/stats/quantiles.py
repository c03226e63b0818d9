"""Quantiles and whole distributions with bounds that hold at all times at once.

**One quantile.** At the p-quantile q each value is below q, or drawn to count as below if it ties, with probability p: the
count is binomial whatever the distribution. The counts whose Beta-binomial mixture martingale (`lockgate.stats.confidence`)
stays below 1/α at rate p are an interval, from `least` to `most`. For all n together with probability at least 1 − α, `least`
values or more are ≤ q and `most` or fewer are < q, so that q lies between the order statistics of ranks `least` and `most` + 1.
Ties only make that wider. Howard and Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm
identification", Bernoulli 28(3), 2022 (arXiv:1906.09712), who tune the mixture to p and a sample size; here it is Jeffreys'.

**The whole distribution.** For independent values of one distribution F, with probability at least 1 − α for all n ≥ m,

    sup |F_n − F| ≤ A·√((ln(1 + ln(n / m)) + C) / n),   A = 0.85,

a law of the iterated logarithm in the manner of Dvoretzky, Kiefer and Wolfowitz (the same paper). C solves α = min over η of

    4·exp(−γ²·C)·(1 + 1 / ((γ² − 1)·ln η)),   γ² = (2/η)·(A − √(2·(η − 1) / C))²,   γ² > 1.

Checked: this formula against the authors' implementation (confseq), the sum over epochs behind it, C = 8.123, 9.284 and 10.943
at α = .05, .01 and .001, and coverage by simulation. Taken over: the paper's maximal inequality within an epoch. The band is
weak in the tails, where one quantile's bounds are much narrower.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln

Floats: TypeAlias = NDArray[np.float64]
Ranks: TypeAlias = NDArray[np.int64]

_PRIOR = 0.5
_A = 0.85
_HALVINGS = 60  # more than a double's precision, and more than the digits of a rank
_ETAS = np.linspace(1, 2 * _A**2, 4002)[1:-1]  # any η gives a bound that holds; the best of these is within 1e-4 of the best
_LARGEST_C = 1000.0


def quantile_ranks(n: ArrayLike, p: ArrayLike, alpha: float = 0.05) -> tuple[Ranks, Ranks]:
    """Ranks, from 1, of the order statistics between which the p-quantile of `n` values lies; 0 < p < 1. Arguments broadcast.

    A lower rank of 0 and an upper one of n + 1 stand for the ends of the scale: so few values say nothing on that side.

    Raises:
        ValueError: p is not between 0 and 1.
    """
    sizes, levels = np.broadcast_arrays(np.asarray(n, dtype=np.int64), np.asarray(p, dtype=float))
    if not np.all((levels > 0) & (levels < 1)):
        raise ValueError(f"a quantile's level must lie between 0 and 1, both excluded; found {np.asarray(p).tolist()}")
    mode = np.minimum(((sizes + 1) * levels).astype(np.int64), sizes)  # the likeliest count: never refuted
    least = _last_accepted(sizes, levels, alpha, mode, np.full(sizes.shape, -1))
    most = _last_accepted(sizes, levels, alpha, mode, sizes + 1)
    return least, most + 1


def band_radius(n: ArrayLike, alpha: float = 0.05, first: int = 100) -> Floats:
    """How far the empirical distribution function of `n` values may be from the true one, anywhere, from n = `first` on.

    Infinite for fewer values. Two samples differ where their functions are further apart than the sum of both radii at α/2.
    """
    sizes = np.asarray(n, dtype=float)
    enough = np.maximum(sizes, first)
    radius = _A * np.sqrt((np.log1p(np.log(enough / first)) + band_constant(alpha)) / enough)
    return np.where(sizes >= first, radius, np.inf)


@lru_cache(maxsize=64)
def band_constant(alpha: float) -> float:
    """C, for 0 < alpha < 1."""
    low, high = 0.0, _LARGEST_C
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _crossing(middle) > alpha else (low, middle)
    return high


def _crossing(c: float) -> float:
    """A bound on the probability that the band is ever left."""
    squared = 2 / _ETAS * np.maximum(_A - np.sqrt(2 * (_ETAS - 1) / c), 0.0) ** 2
    above = squared > 1
    gamma, eta = squared[above], _ETAS[above]
    return float(np.min(4 * np.exp(-gamma * c) * (1 + 1 / ((gamma - 1) * np.log(eta))), initial=1.0))


def _last_accepted(n: Ranks, p: Floats, alpha: float, accepted: Ranks, refuted: Ranks) -> Ranks:
    """The count next to the refuted ones, between a count that is accepted and one that is not (or does not exist)."""
    for _ in range(_HALVINGS):
        gap = refuted - accepted
        count = accepted + np.sign(gap) * (np.abs(gap) // 2)  # never the refuted end itself, where there is no such count
        mixture = betaln(_PRIOR + count, _PRIOR + n - count) - betaln(_PRIOR, _PRIOR)
        within = mixture - count * np.log(p) - (n - count) * np.log1p(-p) < -np.log(alpha)
        accepted, refuted = np.where(within, count, accepted), np.where(within, refuted, count)
    return accepted
