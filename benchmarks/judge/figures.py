"""How figures are shown: shares with their 95 % intervals, and how long something took."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from lockgate.domain.rollouts import JudgePolicy

POLICY = JudgePolicy()
NEVER = np.iinfo(np.int64).max

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]


def crossed(logs: Floats, alpha: float, size: int) -> Integers:
    """Requests until a log e-value, shape (runs, looks), reaches 1/alpha, NEVER where it does not; looks are `size` apart."""
    said = logs >= -np.log(alpha)
    return np.where(said.any(axis=1), size * (said.argmax(axis=1) + 1), NEVER)


def share(crossed: Integers) -> str:
    """The share of runs in which it was said, with its exact 95 % interval."""
    return proportion(int((crossed < NEVER).sum()), len(crossed))


def proportion(said: int, runs: int) -> str:
    low = betaincinv(said, runs - said + 1, 0.025) if said else 0.0
    high = betaincinv(said + 1, runs - said, 0.975) if said < runs else 1.0
    return f"{100 * said / runs:6.2f} %  [{100 * low:6.2f}, {100 * high:6.2f}]"


def median_and_late(crossed: Integers) -> tuple[int, int]:
    """The median and the 90th percentile; NEVER where as many runs say nothing."""
    median, late = np.sort(crossed)[[len(crossed) // 2, len(crossed) * 9 // 10]].tolist()
    return median, late


def delay(crossed: Integers) -> str:
    return "  ".join("   never" if value == NEVER else f"{value:8,}" for value in median_and_late(crossed))
