"""Which held-out rows are kept inside the package as golden rows, and which are asked when a conversion is checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROWS = 32


def spread(n: int, most: int) -> NDArray[np.intp]:
    """Up to `most` row numbers of n, evenly spread from the first to the last; rising and without repetition."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.intp)) if n else np.empty(0, dtype=np.intp)


def golden_rows(scores: NDArray[np.float64], eligible: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Up to 32 of the eligible rows: the lowest and the highest score, and others spread over the data. Rising."""
    candidates = np.flatnonzero(eligible)
    if len(candidates) <= ROWS:
        return candidates
    ranked = scores[candidates]
    extremes = np.unique(candidates[[ranked.argmin(), ranked.argmax()]])
    others = np.setdiff1d(candidates, extremes)
    return np.sort(np.concatenate([extremes, others[spread(len(others), ROWS - len(extremes))]]))
