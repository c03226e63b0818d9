"""AUC under many sets of weights at once: scores are sorted once, each resample is then a few passes over counts.

The AUC is the chance that a random positive scores above a random negative, ties counting half. With whole-numbered weights
w, twice the number of concordant pairs is a whole number, so it is summed exactly and divided once at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Examples in rising order of their scores.

    order: (n,) positions of the examples. positive: (n,) bool, in that order. groups: (g,) where each run of equal scores
    begins.
    """

    order: NDArray[np.intp]
    positive: NDArray[np.bool_]
    groups: NDArray[np.intp]

    @classmethod
    def of(cls, scores: Floats, positive: NDArray[np.bool_]) -> Ranking:
        order = np.argsort(scores, kind="stable")
        ranked = scores[order]
        starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        return cls(order, positive[order], starts)

    def auc(self, weights: Counts) -> Floats:
        """The AUC under each row of `weights`, shape (draws, n) → (draws,). NaN where a draw lacks a class.

        Exact for whole-numbered weights whose sums stay below three thousand million.
        """
        ranked = weights[:, self.order].astype(np.int64, copy=False)
        positives = _by_group(np.where(self.positive, ranked, 0), self.groups)
        negatives = _by_group(np.where(self.positive, 0, ranked), self.groups)
        up_to = np.cumsum(negatives, axis=1)
        twice_concordant = (positives * (2 * up_to - negatives)).sum(axis=1)
        pairs = positives.sum(axis=1) * up_to[:, -1]
        areas: Floats = np.full(len(pairs), np.nan)
        np.divide(twice_concordant, 2 * pairs, out=areas, where=pairs > 0)
        return areas


def auc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """The AUC of scores, shape (n,); NaN without one of the classes."""
    return float(Ranking.of(scores, positive).auc(np.ones((1, len(scores)), dtype=np.int64))[0])


def _by_group(counts: Counts, groups: NDArray[np.intp]) -> Counts:
    return counts if len(groups) == counts.shape[1] else np.add.reduceat(counts, groups, axis=1)
