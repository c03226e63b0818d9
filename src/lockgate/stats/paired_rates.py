"""Is one rate below `ratio` times another, where both are of the same trials? A bet that looks at events of both models too.

Each trial asks two models, `own` and `other`, and each may have the event. Let D = 1{own has it} − ratio·1{other has it}:

    both: 1 − ratio,   own only: 1,   other only: −ratio,   neither: 0.

"Own's rate is at least ratio × other's" means that the mean of D is at least 0. Then a bet of the share λ of the capital against
D multiplies it by 1 − λ·D, with a mean of at most 1, whatever the rates are and however they move. The capital depends on the
counts only. Discordant pairs alone (`stats.pairs`) can prove more than that, and no less: that own is the odd one out less than
`ratio` times as often. Where both models mostly have the event together that takes many times as many trials.

Counts may be sums of shares: where a unit's outcome is its mean over several trials, the geometric mean of the factors is at most
1 − λ times the mean of D, so each unit counts once and the capital only gets smaller.

Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86(1), 2024 (arXiv:2010.09686),
with constant bets that are averaged.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lockgate.stats.combine import log_mean

Floats: TypeAlias = NDArray[np.float64]

BETS = (0.05, 0.1, 0.2, 0.4, 0.8, 0.95)  # shares of the capital: from models that err apart to models that err together


def log_e_paired_below(both: ArrayLike, own: ArrayLike, other: ArrayLike, ratio: ArrayLike) -> Floats:
    """Log e-value against "own's rate is at least `ratio` × other's". Arguments broadcast.

    both, own, other: trials in which both, only own, only other had the event.

    Raises:
        ValueError: a ratio is below 1; a margin of non-inferiority is at least 1.
    """
    margin = np.asarray(ratio, dtype=float)[..., np.newaxis]
    if not np.all(margin >= 1):
        raise ValueError(f"a margin of non-inferiority is a ratio of at least 1; found {np.asarray(ratio).tolist()}")
    bets = np.asarray(BETS)
    together, alone, others = (np.asarray(count, dtype=float)[..., np.newaxis] for count in (both, own, other))
    growth = together * np.log1p(bets * (margin - 1)) + alone * np.log1p(-bets) + others * np.log1p(bets * margin)
    return log_mean(growth)
