"""Are two samples of binned values from one distribution? Effect sizes, p-values that know of serial dependence, many at
once.

Everything works on counts: arrays of shape (bins,) or (features, bins); rows with fewer bins are padded with zeros, and a bin
that is empty in both samples takes no part.

- Effect: the population stability index, less what chance alone makes of it (Yurdakul, Statistical Properties of Population
  Stability Index, 2018: under no drift PSI ~ (1/n + 1/m) χ² with bins − 1 degrees of freedom).
- Test: Pearson's χ² of homogeneity; cells with an expectation below 5 are taken together (Cochran 1954).
- Serial dependence: rows that follow each other are alike (weather, one customer's batch), so that χ² is too large by a
  factor. It is learned from runs of consecutive rows of the reference and the statistic is corrected by its first two moments
  (Rao and Scott 1984, the second-order correction), with an F reference, because the factor itself is an estimate (Thomas and
  Rao 1987).
- Many features: the false discovery rate (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, fdtrc, ndtri

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

_ENOUGH = 5.0  # the least expectation of a cell that stands alone
_SOME = 1.0  # the least expectation of the cell in which the rare ones are taken together; below it they are left out
_HALF = 0.5  # added to each bin, so that an empty one has a logarithm


class Homogeneity(NamedTuple):
    statistic: Floats
    freedom: Floats  # degrees of freedom; 0 where there is nothing to compare


class Spread(NamedTuple):
    """How much more runs of consecutive rows differ from each other than independent rows would.

    inflation: mean of χ² / degrees of freedom over the runs, at least 1.
    concentration: into how few directions the excess goes: degrees of freedom are divided by it; at least 1.
    runs: how many it was learned from; 0 = not learned, rows are taken as independent.
    """

    inflation: float = 1.0
    concentration: float = 1.0
    runs: int = 0


def psi(reference: Counts, current: Counts) -> Floats:
    """The population stability index in nats, over the last axis; 0 where a sample is empty."""
    taken = (reference + current) > 0
    p = _shares(reference, taken)
    q = _shares(current, taken)
    ratio = np.log(np.where(taken, q, 1.0)) - np.log(np.where(taken, p, 1.0))
    empty = (reference.sum(-1) == 0) | (current.sum(-1) == 0)
    return np.where(empty, 0.0, ((q - p) * ratio).sum(-1))


def psi_by_chance(reference: Counts, current: Counts, inflation: float | Floats = 1.0) -> Floats:
    """The index that is expected where nothing drifted, for samples of these sizes."""
    bins = ((reference + current) > 0).sum(-1)
    n, m = np.maximum(reference.sum(-1), 1), np.maximum(current.sum(-1), 1)
    return np.asarray(np.maximum(bins - 1, 0) * (1 / n + 1 / m) * inflation, dtype=np.float64)


def psi_bounds(reference: Counts, current: Counts, inflation: float, tail: float) -> tuple[float, float, float]:
    """The index less what chance makes of it, and its lower and upper bound, each missed with a chance of `tail`; shape (bins,).

    By the delta method, with the spread that the index has under no drift (χ²) beside it, which the first order does not see. The
    index's variance grows with it, so for the upper bound it is taken there and not at what was found, as Wilson does for a
    share. inflation: by how much both samples say less than independent rows.
    """
    taken = (reference + current) > 0
    p, q = _shares(reference, taken)[taken], _shares(current, taken)[taken]
    n, m = (max(float(one.sum()), 1.0) / inflation for one in (reference, current))
    found = float(psi(reference, current))
    point = max(found - float(psi_by_chance(reference, current, inflation)), 0.0)
    ratio, per_row = np.log(q / p), 1 / n + 1 / m
    first = _variance(q, ratio + 1 - p / q) / m + _variance(p, q / p - 1 + ratio) / n
    chance = 2 * max(int(taken.sum()) - 1, 0) * per_row**2
    reach = float(ndtri(1 - tail))
    low = point - reach * float(np.sqrt(first + chance))
    growth = max(first / found if found > 0 else 0.0, 4 * per_row)  # of the variance; the latter for small differences
    middle = point + reach**2 * growth / 2
    return point, max(low, 0.0), middle + float(np.sqrt(middle**2 - point**2 + reach**2 * chance))


def _variance(shares: Floats, values: Floats) -> float:
    return float((shares * values**2).sum() - (shares * values).sum() ** 2)


def homogeneity(reference: Counts, current: Counts) -> Homogeneity:
    """Pearson's χ² of both samples against their pool, over the last axis, with its degrees of freedom."""
    n, m = reference.sum(-1, keepdims=True), current.sum(-1, keepdims=True)
    pooled = reference + current
    smaller = pooled * (np.minimum(n, m) / np.maximum(n + m, 1))  # the expectation in the smaller sample
    alone = smaller >= _ENOUGH
    rare = ~alone & (pooled > 0)
    together = (smaller * rare).sum(-1) >= _SOME
    left = np.where(alone, reference, 0)
    right = np.where(alone, current, 0)
    left = np.concatenate([left, np.where(together, (reference * rare).sum(-1), 0)[..., None]], -1)
    right = np.concatenate([right, np.where(together, (current * rare).sum(-1), 0)[..., None]], -1)
    return _pearson(left, right)


def p_values(
    test: Homogeneity, inflation: float | Floats = 1.0, concentration: float | Floats = 1.0, runs: float | Floats = 0
) -> Floats:
    """The chance of so large a statistic where nothing drifted; 1 where there was nothing to compare.

    The arguments behind `test` are those of `Spread`, one for all or one for each test.
    """
    freedom = np.maximum(test.freedom, 1.0)
    directions = freedom / np.clip(concentration, 1.0, freedom)
    learned = np.asarray(runs) > 1
    denominator = np.maximum(np.asarray(runs) - 1, 1) * directions
    by_f = fdtrc(directions, denominator, test.statistic / (freedom * inflation))
    by_chi2 = chdtrc(directions, test.statistic * directions / (freedom * inflation))
    return np.where(test.freedom > 0, np.where(learned, by_f, by_chi2), 1.0)


def spread(runs: Counts) -> Spread:
    """What consecutive rows of the reference teach: `runs` has shape (runs, bins), each row counted from one run.

    Each run is compared with all others together. Fewer than two runs teach nothing.
    """
    if len(runs) < 2:  # noqa: PLR2004 - a variance needs two
        return Spread()
    test = homogeneity(runs.sum(0)[None, :] - runs, runs)
    freedom = float(test.freedom.mean())
    if freedom == 0:
        return Spread()
    ratio = test.statistic / np.maximum(test.freedom, 1.0)
    mean, variance = float(ratio.mean()), float(ratio.var(ddof=1))
    concentration = variance * freedom / (2 * mean**2) if mean > 0 else 1.0
    return Spread(max(1.0, mean), float(np.clip(concentration, 1.0, freedom)), len(runs))


def benjamini_hochberg(p: Floats, alpha: float) -> NDArray[np.bool_]:
    """Which of the hypotheses are rejected so that at most a share `alpha` of the rejected is expected to be true."""
    order = np.argsort(p)
    below = np.flatnonzero(p[order] <= alpha * np.arange(1, len(p) + 1) / max(len(p), 1))
    rejected = np.zeros(len(p), dtype=np.bool_)
    if len(below):
        rejected[order[: below[-1] + 1]] = True
    return rejected


def _shares(counts: Counts, taken: NDArray[np.bool_]) -> Floats:
    filled = np.where(taken, counts + _HALF, 0.0)
    return np.asarray(filled / np.maximum(filled.sum(-1, keepdims=True), _HALF), dtype=np.float64)


def _pearson(left: Counts, right: Counts) -> Homogeneity:
    n, m = left.sum(-1, keepdims=True), right.sum(-1, keepdims=True)
    pooled = left + right
    total = np.maximum(n + m, 1)
    expected = pooled * (n / total), pooled * (m / total)
    terms = [
        np.divide((seen - e) ** 2, e, out=np.zeros_like(e), where=e > 0) for seen, e in zip((left, right), expected, strict=True)
    ]
    cells = (pooled > 0).sum(-1)
    both = (n[..., 0] > 0) & (m[..., 0] > 0)
    return Homogeneity(
        np.where(both, (terms[0] + terms[1]).sum(-1), 0.0), np.where(both, np.maximum(cells - 1, 0), 0).astype(np.float64)
    )
