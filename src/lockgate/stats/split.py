"""Do new keys meet the arms in the shares that were planned? An e-process against a sample-ratio mismatch (SRM).

Null: each new key falls on arm j with probability w_j, the arm's weight at that time. A key on arm j multiplies the capital by
pred_j / w_j; the mean of that is Σ w_j·pred_j / w_j = 1 for whatever shares pred that were fixed before the key was seen. They
are learned from what was counted:

    pred_j ∝ w_j·(counted_j + κ) / (expected_j + κ),   expected_j = Σ w_j over the keys so far,   κ = 200.

So a fault that was found at one weight is bet on at the next, and κ keeps the first bets small.

Counts come in blocks. Within a block the shares pred stay as they were at its beginning, so the block multiplies the capital by
Π_j (pred_j / w_j)^(keys on arm j). That is the product of its keys' factors, each of which still has mean 1 given the keys
before it, as pred knows none of the block; so the capital is a martingale key by key, and the end of a block is a moment to
look at it like any other. The weights must hold for the whole block, and its end must not be chosen by its own keys' arms in a
way that leaves some of them out. Larger blocks cost some speed of learning, and no validity.

Only keys that were not seen before count: a returning key's arm is known.

Source: Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022 (arXiv:2011.03567), with shares
relative to the weights in place of their Dirichlet prior on the shares, which a ramp would leave behind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lockgate.stats.moments import Floats, Numbers

_KAPPA = 200.0
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Split:
    """Plain numbers: new keys counted and expected on each arm, shape (..., arms), and the log e-value, shape (...)."""

    counts: Floats
    expected: Floats
    log_e: Numbers = 0.0


def begin(arms: int) -> Split:
    return Split(np.zeros(arms), np.zeros(arms))


def step(state: Split, counts: ArrayLike, weights: ArrayLike) -> Split:
    """The state after a block: new keys on each arm, shape (..., arms), and the weights they were assigned by, shape (arms,).

    A key on an arm without weight is impossible under the null: the log e-value is infinite from then on.

    Raises:
        ValueError: weights are negative or do not add up to 1.
    """
    w = _shares(weights)
    new = np.asarray(counts, dtype=float)
    tilt = (np.asarray(state.counts) + _KAPPA) / (np.asarray(state.expected) + _KAPPA)
    growth = np.log(tilt) - np.log((w * tilt).sum(axis=-1, keepdims=True))  # log(pred / w)
    gained = np.where(np.any((new > 0) & (w == 0), axis=-1), np.inf, (new * growth).sum(axis=-1))
    return Split(
        np.asarray(state.counts) + new,
        np.asarray(state.expected) + new.sum(axis=-1, keepdims=True) * w,
        np.asarray(state.log_e) + gained,
    )


def _shares(weights: ArrayLike) -> Floats:
    w = np.asarray(weights, dtype=float)
    if np.any(w < 0) or not np.allclose(w.sum(axis=-1), 1.0, rtol=0, atol=_TOLERANCE):
        raise ValueError(f"the weights of all arms must add up to 1, none of them negative; found {w.tolist()}")
    return w
