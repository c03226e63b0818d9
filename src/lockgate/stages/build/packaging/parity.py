"""Parity: does a converted, copied or freshly loaded model give the answers of the original?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lockgate.boundary.manifest import Golden
from lockgate.kernel.errors import Invalid

# 32-bit floats carry seven digits; sums of hundreds of trees or features lose one or two of them.
RELATIVE_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Parity:
    """Original and answered scores of the same rows, shape (n,), and by how much they may differ."""

    expected: NDArray[np.float64]
    answered: NDArray[np.float64]
    tolerance: float

    @property
    def differences(self) -> NDArray[np.float64]:
        """Absolute; infinite where there is no number."""
        return np.nan_to_num(np.abs(self.expected - self.answered), nan=np.inf, posinf=np.inf)

    @property
    def kept(self) -> NDArray[np.bool_]:
        return np.asarray(self.differences <= self.tolerance)

    @property
    def holds(self) -> bool:
        return bool(self.kept.all())

    @property
    def worst(self) -> int:
        """The row with the greatest difference."""
        return int(self.differences.argmax())

    def differing(self, most: int) -> list[str]:
        """The first rows that differ too much, for people."""
        rows = np.flatnonzero(~self.kept)[:most]
        return [f"row {row}: {self.expected[row]:.9g} expected, {self.answered[row]:.9g} answered" for row in rows]

    def __str__(self) -> str:
        worst = self.worst
        return (
            f"{np.count_nonzero(~self.kept):,} of {len(self.expected):,} rows differ by more than {self.tolerance:.2g}; "
            f"at worst, in row {worst}, {self.expected[worst]:.9g} was expected and {self.answered[worst]:.9g} was answered"
        )


def compare(expected: ArrayLike, answered: ArrayLike, tolerance: float) -> Parity:
    """Two columns of scores of the same rows, side by side.

    Raises:
        Invalid: not as many answers as rows, or no rows at all.
    """
    ours, theirs = np.asarray(expected, dtype=np.float64).ravel(), np.asarray(answered, dtype=np.float64).ravel()
    if len(ours) != len(theirs) or len(ours) == 0:
        raise Invalid(f"{len(theirs)} answers found for {len(ours)} rows, one for each of at least one expected")
    return Parity(ours, theirs, tolerance)


def verify(golden: Golden, answered: ArrayLike) -> Parity:
    """The answers of some form of the package to its golden rows, beside those of the original model."""
    return compare(golden.scores, answered, golden.tolerance)


def tolerance_for(scores: Sequence[float] | NDArray[np.float64], *, probabilities: bool) -> float:
    """How much answers may differ: 0.00001 of a probability, or of the greatest score's size."""
    greatest = float(np.abs(np.asarray(scores)).max(initial=0.0))
    return RELATIVE_TOLERANCE * (1.0 if probabilities or greatest == 0 else greatest)
