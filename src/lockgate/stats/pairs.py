"""Which of two models is wrong when exactly one of them is? A sequential McNemar test, for a shadow beside the live model.

Both models answer the same request, so only discordant pairs, in which one is right and the other wrong, tell them apart. If
the shadow is as often the wrong one as the live model, it is the wrong one in a discordant pair with probability ½. That is the
game on the share of events (`lockgate.stats.odds`) at a weight of ½, with discordant pairs as the events and the shadow in the
canary's place: capital in it is an e-process, however the rates move. No request need be assigned at random: the pairing takes
the place of the randomisation.

With `ratio` r the edge of the null moves from ½ to r / (1 + r). The ratio is one of discordant pairs: wrong where the other is
right. Errors that both make drop out, so of the two error rates "at most r times" follows from it, and "more than r times" does
not, unless r is 1.

Requests of one user, or with one input, are alike. Feed the first discordant pair of each.

Source: McNemar, Psychometrika 12, 1947, for the test of a fixed size; Lindon and Malek, "Anytime-valid inference for multinomial
count data", NeurIPS 2022 (arXiv:2011.03567), for the sequential one.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lockgate.stats.combine import log_mean
from lockgate.stats.odds import LOWER, log_growth

Floats: TypeAlias = NDArray[np.float64]

_EITHER = 0.5  # the weight of one model of a pair


def log_e_pair_worse(discordant: ArrayLike, own: ArrayLike, ratio: ArrayLike = 1.0) -> Floats:
    """Log e-value against "the shadow is the wrong one at most `ratio` × as often as the live model".

    own: in how many of the `discordant` pairs the shadow was the wrong one. Arguments broadcast.
    """
    return log_mean(log_growth(_EITHER, discordant, own, ratio))


def log_e_pair_not_worse(discordant: ArrayLike, own: ArrayLike, ratio: ArrayLike) -> Floats:
    """Log e-value against "the shadow is the wrong one at least `ratio` × as often as the live model". Arguments broadcast.

    Raises:
        ValueError: a ratio is below 1; a margin of non-inferiority is at least 1.
    """
    margins = np.asarray(ratio, dtype=float)
    if not np.all(margins >= 1):
        raise ValueError(f"a margin of non-inferiority is a ratio of at least 1; found {margins.tolist()}")
    return log_mean(log_growth(_EITHER, discordant, own, margins, np.asarray(LOWER) / margins[..., np.newaxis]))
