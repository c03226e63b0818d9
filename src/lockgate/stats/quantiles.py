"""Quantiles with bounds that hold at all times at once.

At the p-quantile q each value is below q, or drawn to count as below if it ties, with probability p: the count is binomial
whatever the distribution. The counts whose Beta-binomial mixture martingale (`lockgate.stats.confidence`) stays below 1/α at rate
p are an interval, from `least` to `most`. For all n together with probability at least 1 − α, `least` values or more are ≤ q and
`most` or fewer are < q, so that q lies between the order statistics of ranks `least` and `most` + 1. Ties only make that wider.

Source: Howard and Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm identification",
Bernoulli 28(3), 2022 (arXiv:1906.09712), who tune the mixture to p and a sample size; here it is Jeffreys'.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln

Floats: TypeAlias = NDArray[np.float64]
Ranks: TypeAlias = NDArray[np.int64]

_PRIOR = 0.5
_HALVINGS = 60  # more than a double's precision, and more than the digits of a rank


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


def _last_accepted(n: Ranks, p: Floats, alpha: float, accepted: Ranks, refuted: Ranks) -> Ranks:
    """The count next to the refuted ones, between a count that is accepted and one that is not (or does not exist)."""
    for _ in range(_HALVINGS):
        gap = refuted - accepted
        count = accepted + np.sign(gap) * (np.abs(gap) // 2)  # never the refuted end itself, where there is no such count
        mixture = betaln(_PRIOR + count, _PRIOR + n - count) - betaln(_PRIOR, _PRIOR)
        within = mixture - count * np.log(p) - (n - count) * np.log1p(-p) < -np.log(alpha)
        accepted, refuted = np.where(within, count, accepted), np.where(within, refuted, count)
    return accepted
