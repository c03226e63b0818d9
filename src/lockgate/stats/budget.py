"""How much may go wrong in all: over many segments of one test, and over the rollouts of a year."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def e_bh(logs: ArrayLike, alpha: float) -> NDArray[np.intp]:
    """Which hypotheses are rejected, as rising positions in `logs`, the log e-values of K hypotheses, shape (K,).

    The e-BH procedure: the k largest, for the largest k with e of the k-th ≥ K / (k·α). The expected share of true hypotheses
    among the rejected is at most α, under any dependence, also at a time that the data chose. Give current values: with running
    maxima in their place that no longer holds (Tavyrikov, Goeman and de Heide, arXiv:2501.19360).

    Source: Wang and Ramdas, "False discovery rate control with e-values", JRSS B 84(3), 2022 (arXiv:2009.02824).
    """
    values = np.asarray(logs, dtype=float)
    order = np.argsort(-values, kind="stable")
    sizes = np.arange(1, len(values) + 1)
    bars = -np.log(sizes / max(len(values), 1)) - np.log(alpha)
    reached = np.flatnonzero(values[order] >= bars)
    return np.sort(order[: reached[-1] + 1]) if len(reached) else order[:0]


def share(rollout: int, yearly: float) -> float:
    """The α of the year's `rollout`-th rollout, counted from 1: yearly / (rollout·(rollout + 1)).

    However many there are, they add up to less than `yearly`, which so bounds the probability of any false alarm in the year.

    Raises:
        ValueError: the number is below 1, or `yearly` is not between 0 and 1.
    """
    if rollout < 1:
        raise ValueError(f"rollouts are counted from 1; found {rollout}")
    if not 0 < yearly < 1:
        raise ValueError(f"a yearly alpha must lie between 0 and 1, both excluded; found {yearly}")
    return yearly / (rollout * (rollout + 1))
