"""Is a rate below a floor, or above a limit? One-sample e-processes, for objectives that need no other arm.

Betting on a rate p against an edge q multiplies the capital by p / q for an event and by (1 − p) / (1 − q) for none. The mean
is 1 where the rate is q, and at most 1 on the other side of q than p. The capital depends on the counts only.

- "At least `floor`": bets on rates below it. Half of the capital bets on p = 0 (it grows by (1 − floor)^−n while nothing
  happens, and is lost with the first event), so it can grow without a single event; half is spread over (0, floor).
- "At most `limit`": bets on rates above it, spread over (limit, 1).

Spread is by Jeffreys' Beta(½, ½) cut at the edge, which has a closed form by the incomplete beta function.

Source: the method of mixtures for Bernoulli observations, Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric,
nonasymptotic confidence sequences", Annals of Statistics 49(2), 2021 (arXiv:1810.08240), section 3.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincc, betaln

from lockgate.stats.combine import log_mean

Floats: TypeAlias = NDArray[np.float64]

_A = _B = 0.5
_UNDERFLOW = 1e-290  # below it a share of the incomplete beta function has lost digits, or is 0


def log_e_below(trials: ArrayLike, events: ArrayLike, floor: ArrayLike) -> Floats:
    """Log e-value against "the rate is at least `floor`" after `events` in `trials`; 0 < floor < 1. Arguments broadcast."""
    n, s, edge = np.broadcast_arrays(np.asarray(trials, float), np.asarray(events, float), np.asarray(floor, float))
    at_null = s * np.log(edge) + (n - s) * np.log1p(-edge)
    atom = np.where(s == 0, -at_null, -np.inf)
    a, b = _A + s, _B + n - s
    spread = _log_integral(betainc(a, b, edge), a, b, edge, 1 - edge)
    spread = spread - betaln(_A, _B) - np.log(betainc(_A, _B, edge)) - at_null
    return log_mean(np.stack([atom, spread], axis=-1))


def log_e_above(trials: ArrayLike, events: ArrayLike, limit: ArrayLike) -> Floats:
    """Log e-value against "the rate is at most `limit`" after `events` in `trials`. Arguments broadcast; always finite.

    Raises:
        ValueError: a limit is not between 0 and 1 (at 0 one event would prove everything, at 1 nothing is left to bet on).
    """
    n, s, edge = np.broadcast_arrays(np.asarray(trials, float), np.asarray(events, float), np.asarray(limit, float))
    if not np.all((edge > 0) & (edge < 1)):
        raise ValueError(f"a limit must lie between 0 and 1, both excluded; found {np.asarray(limit).tolist()}")
    at_null = s * np.log(edge) + (n - s) * np.log1p(-edge)
    a, b = _A + s, _B + n - s
    spread = _log_integral(betaincc(a, b, edge), b, a, 1 - edge, edge)
    return np.asarray(spread - betaln(_A, _B) - np.log(betaincc(_A, _B, edge)) - at_null)


def _log_integral(share: Floats, a: Floats, b: Floats, x: Floats, y: Floats) -> Floats:
    """The log of ∫ p^(a − 1)·(1 − p)^(b − 1) dp over (0, x); `share` is the integral's part of B(a, b), y = 1 − x.

    Where the share underflows the counts are far on the null's side and the capital is small, but not 0: then by the continued
    fraction of the incomplete beta function (DLMF 8.17.22) up to its fourth convergent, which is right to five digits there.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # each of the two is meant for its own part of the plane
        direct = betaln(a, b) + np.log(share)
        d1 = -(a + b) * x / (a + 1)
        d2 = (b - 1) * x / ((a + 1) * (a + 2))
        d3 = -(a + 1) * (a + b + 1) * x / ((a + 2) * (a + 3))
        far = a * np.log(x) + b * np.log(y) - np.log(a) - np.log(1 + d1 / (1 + d2 / (1 + d3)))
    return np.where(share > _UNDERFLOW, direct, far)
