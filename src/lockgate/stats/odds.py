"""Whose events are they? An e-process on the share of events that fall on the canary. Successes are never looked at.

Each unit meets the canary with a probability `weight` that was fixed before the unit was seen. If the canary's event rate is
`ratio` times the baseline's, then an event that happened fell on the canary with probability

    share = weight·ratio / (1 − weight + weight·ratio).

Betting on odds that are `o` times higher multiplies the capital by o / (1 + share·(o − 1)) for an event of the canary, and by
1 / (1 + share·(o − 1)) for one of the baseline. The mean is 1 at `share`. For o > 1 it is at most 1 for every smaller share,
for o < 1 for every larger one. So the capital is an e-process (Ville: it ever reaches 1/α with probability at most α) for
"the ratio is at most `ratio`" or "at least `ratio`", whatever the rates are and however they move over time, and with a
weight that changes between events. The capital depends on the counts by weight only, not on the order of events.

Source: Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022 (arXiv:2011.03567), with a
discrete mixture over the odds in place of their Dirichlet prior.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lockgate.stats.combine import log_mean

Floats: TypeAlias = NDArray[np.float64]

HIGHER = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)  # times the odds at the null: bets on "more than `ratio`"
LOWER = (1.0, 0.8, 0.5)  # ratios: bets on "the canary is as good, a fifth better, twice as good"


def null_share(weight: ArrayLike, ratio: ArrayLike = 1.0) -> Floats:
    """The probability that an event is the canary's, when its rate is `ratio` times the baseline's."""
    odds = np.asarray(weight, dtype=float) * ratio
    return np.asarray(odds / (1.0 - np.asarray(weight, dtype=float) + odds))


def log_growth(
    weight: ArrayLike, events: ArrayLike, canary_events: ArrayLike, ratio: ArrayLike = 1.0, odds: ArrayLike = HIGHER
) -> Floats:
    """Logarithms of what each bet's capital is multiplied by.

    weight, events, canary_events and ratio broadcast to a common shape `s`: `canary_events` of `events` events were the
    canary's while its weight was `weight`. odds: shape (bets,) or broadcastable to s + (bets,). Returns shape s + (bets,);
    growths of different events add up.
    """
    bets = np.asarray(odds, dtype=float)
    share = null_share(weight, ratio)[..., np.newaxis]
    own = np.asarray(canary_events, dtype=float)[..., np.newaxis]
    every = np.asarray(events, dtype=float)[..., np.newaxis]
    return np.asarray(own * np.log(bets) - every * np.log1p(share * (bets - 1.0)))


def log_e_worse(weight: ArrayLike, events: ArrayLike, canary_events: ArrayLike, ratio: float = 1.0) -> Floats:
    """Log e-value against "the canary's rate is at most `ratio` × the baseline's"; the last axis runs over the weights."""
    return log_mean(log_growth(weight, events, canary_events, ratio).sum(axis=-2))


def log_e_not_worse(weight: ArrayLike, events: ArrayLike, canary_events: ArrayLike, ratio: ArrayLike) -> Floats:
    """Log e-values against "the canary's rate is at least `ratio` × the baseline's".

    weight, events, canary_events: shape (..., weights). ratio: shape (...), or (ratios,) for several margins of the same counts.
    """
    margins = np.asarray(ratio, dtype=float)[..., np.newaxis]
    bets = np.asarray(LOWER) / margins[..., np.newaxis]
    return log_mean(log_growth(weight, events, canary_events, margins, bets).sum(axis=-2))
