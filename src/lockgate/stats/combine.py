"""E-values put together, in logarithms.

A weighted average of e-processes (weights fixed beforehand, adding up to 1) is an e-process for what all their nulls have in
common, under any dependence. Average the current values: an average of running maxima is not valid. Vovk and Wang, "E-values:
calibration, combination and applications", Annals of Statistics 49(3), 2021 (arXiv:1912.06116), proposition 3.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def log_mean(logs: ArrayLike) -> NDArray[np.float64]:
    """The logarithm of the mean over the last axis of values that are given by their logarithms (−inf is a value of 0)."""
    values = np.asarray(logs, dtype=float)
    return np.asarray(np.logaddexp.reduce(values, axis=-1) - np.log(values.shape[-1]))


def log_weighted_sum(logs: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """The logarithm of Σ weight × value over the last axis; weights are above 0."""
    return np.asarray(np.logaddexp.reduce(np.asarray(logs, dtype=float) + np.log(np.asarray(weights, dtype=float)), axis=-1))


def log_means(logs: ArrayLike, sizes: ArrayLike) -> NDArray[np.float64]:
    """`log_mean` of each of several groups: `sizes` says how many of `logs`, that follow each other, make a group; none is 0."""
    return np.asarray(_sums(np.asarray(logs, dtype=float), sizes) - np.log(np.asarray(sizes, dtype=float)))


def log_weighted_sums(logs: ArrayLike, weights: ArrayLike, sizes: ArrayLike) -> NDArray[np.float64]:
    """`log_weighted_sum` of each of several groups, as in `log_means`."""
    return _sums(np.asarray(logs, dtype=float) + np.log(np.asarray(weights, dtype=float)), sizes)


def _sums(logs: NDArray[np.float64], sizes: ArrayLike) -> NDArray[np.float64]:
    each = np.asarray(sizes, dtype=np.intp)
    return np.asarray(np.logaddexp.reduceat(logs, np.cumsum(each) - each))
