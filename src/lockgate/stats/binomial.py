"""Exact confidence bounds of a rate (Clopper and Pearson 1934): right for any sample size, also with no event or only events.

Where trials that follow each other are alike, both numbers are divided by how much that inflates the variance (the effective
sample size of Korn and Graubard 1998), so they need not be whole.
"""

from __future__ import annotations

from scipy.special import betaincinv


def lower_bound(events: float, trials: float, alpha: float) -> float:
    """The rate is at least this, except with a chance of at most `alpha`. 0 without trials."""
    return float(betaincinv(events, trials - events + 1, alpha)) if events else 0.0


def upper_bound(events: float, trials: float, alpha: float) -> float:
    """The rate is at most this, except with a chance of at most `alpha`. 1 without trials."""
    return float(betaincinv(events + 1, trials - events, 1 - alpha)) if events < trials else 1.0
