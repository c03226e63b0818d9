"""Is a rate below a floor? A one-sample e-process that can grow without a single event.

Null: every trial's chance of the event is at least `floor`. Betting on a smaller rate p multiplies the capital by p / floor
for an event and by (1 − p) / (1 − floor) for none; the mean is 1 at the floor and less above it. Half of the capital bets on
p = 0 (it grows by (1 − floor)^−n while nothing happens, and is lost with the first event), half is spread over (0, floor) by
Jeffreys' Beta(½, ½) cut there, which has a closed form by the incomplete beta function.

Source: the method of mixtures for Bernoulli observations, Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric,
nonasymptotic confidence sequences", Annals of Statistics 49(2), 2021 (arXiv:1810.08240), section 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaln

from lockgate.stats.combine import log_mean

_A = _B = 0.5


def log_e_below(trials: ArrayLike, events: ArrayLike, floor: ArrayLike) -> NDArray[np.float64]:
    """Log e-value against "the rate is at least `floor`" after `events` in `trials`; 0 < floor < 1. Arguments broadcast."""
    n, s, edge = np.broadcast_arrays(np.asarray(trials, float), np.asarray(events, float), np.asarray(floor, float))
    at_null = s * np.log(edge) + (n - s) * np.log1p(-edge)
    atom = np.where(s == 0, -at_null, -np.inf)
    with np.errstate(divide="ignore"):  # so far above the floor that the cut part holds nothing: a value of 0
        spread = betaln(_A + s, _B + n - s) + np.log(betainc(_A + s, _B + n - s, edge))
    spread = spread - betaln(_A, _B) - np.log(betainc(_A, _B, edge)) - at_null
    return log_mean(np.stack([atom, spread], axis=-1))
