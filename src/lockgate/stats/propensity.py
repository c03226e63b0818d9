"""The difference of two arms' means, seen through one arm at a time: inverse weighting by a known propensity.

A unit meets the canary with a probability w, its propensity, that was fixed before the unit was seen, and that may follow
whatever was seen before (a ramp, a bandit). Its outcome y in [0, 1] becomes

    z = (y − centre) / w on the canary,   z = −(y − centre) / (1 − w) on the baseline.

Whatever the centre, the mean of z, given the past, is the canary's mean less the baseline's. A centre near the outcomes' mean
makes z vary less; it must be fixed before the unit was seen, as the mean of both arms so far is. While w stays within
[floor, 1 − floor], z stays within ±1 / floor, so that ½ + floor·z / 2 is a value in [0, 1] whose mean `betting` and `bernstein`
can judge. The price of a small floor is high: z varies by 1 / w. Paired answers of a shadow tell more.

Source: Waudby-Smith, Wu, Ramdas, Karampatziakis and Mineiro, "Anytime-valid off-policy inference for contextual bandits"
(arXiv:2210.10768), importance weighting with logged propensities, here with one bound for all times.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lockgate.stats.moments import unit_values

Floats: TypeAlias = NDArray[np.float64]

_CENTRE = 0.5


def unit_outcomes(
    outcome: ArrayLike, canary: ArrayLike, propensity: ArrayLike, floor: float, centre: ArrayLike = _CENTRE
) -> Floats:
    """Values in [0, 1] whose mean is `unit_difference(d, floor)` where the canary's mean is d above the baseline's.

    outcome, in [0, 1]; canary: bool, whether the unit met it; propensity: the probability of that; centre, in [0, 1]. All four
    broadcast.

    Raises:
        ValueError: the floor is not in (0, ½], a propensity not in [floor, 1 − floor], or an outcome or a centre not in [0, 1].
    """
    if not 0 < floor <= 0.5:  # noqa: PLR2004 - two arms
        raise ValueError(f"the floor of two arms' propensities must lie above 0 and be at most 0.5; found {floor}")
    w = np.asarray(propensity, dtype=float)
    outside = w[~((w >= floor) & (w <= 1 - floor))]
    if outside.size:
        raise ValueError(f"propensities must lie in [{floor}, {1 - floor}]; found {outside.flat[0]}: leave such units out")
    distance = unit_values(outcome) - unit_values(centre)
    signed = np.where(canary, distance / w, -distance / (1 - w))
    return np.asarray(np.clip(0.5 + floor / 2 * signed, 0.0, 1.0))  # rounding alone could leave the interval


def unit_difference(difference: ArrayLike, floor: float) -> Floats:
    """Where a difference of means lies on the scale of `unit_outcomes`: ½ for none."""
    return np.asarray(0.5 + floor / 2 * np.asarray(difference, dtype=float))


def difference(mean: ArrayLike, floor: float) -> Floats:
    """The difference of means that belongs to a mean of `unit_outcomes`."""
    return np.asarray((np.asarray(mean, dtype=float) - 0.5) * 2 / floor)
