"""Is a conversion faithful? Its answers to held-out rows stand beside the original's, and every difference must have a reason.

Trees compare numbers with thresholds. Where a number lies within 32-bit rounding of a threshold, the converted tree may turn the
other way. Such a row is recognised by asking the original about numbers a rounding away: if the answer lies among those, rounding
explains it. One row in a hundred may be so; a difference that rounding does not explain may not occur at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lockgate.integrations.sklearn.estimator import Estimator
from lockgate.kernel.errors import Invalid
from lockgate.stages.build.packaging.parity import Parity

SHARE_ROUNDED = 0.01


class NotFaithful(Invalid):
    """The converted model says something else than the original."""


def check(parity: Parity, estimator: Estimator, rows: pd.DataFrame) -> None:
    """Accept a conversion whose answers agree with the original's, but for a few that rounding explains.

    Raises:
        NotFaithful: naming the worst row.
    """
    beyond = np.flatnonzero(~parity.kept)
    if len(beyond) == 0:
        return
    rounded = _explained(parity, estimator, rows, beyond)
    strange = beyond[~rounded]
    if len(strange):
        raise NotFaithful(
            f"the converted model does not say what the original says: {_worst(parity, rows, strange)}",
            hint="Leave out parts of the model until the answers agree, to find the one that converts wrongly.",
        )
    if len(beyond) > max(1, SHARE_ROUNDED * len(rows)):
        raise NotFaithful(
            f"rounding to 32 bits moves too many rows across thresholds of trees, {SHARE_ROUNDED:.0%} are allowed: "
            f"{_worst(parity, rows, beyond)}",
            hint="Give trees their numbers unscaled (they need no scaler), or round them to fewer digits before the split.",
        )


def _explained(parity: Parity, estimator: Estimator, rows: pd.DataFrame, beyond: NDArray[np.intp]) -> NDArray[np.bool_]:
    try:
        nearby = estimator.scores_nearby(rows.iloc[beyond])
    except (ValueError, TypeError):
        # The last step is given something else than numbers: there is nothing to round.
        return np.zeros(len(beyond), dtype=np.bool_)
    low, high = nearby.min(axis=0) - parity.tolerance, nearby.max(axis=0) + parity.tolerance
    answered = parity.answered[beyond]
    return np.asarray((low <= answered) & (answered <= high))


def _worst(parity: Parity, rows: pd.DataFrame, among: NDArray[np.intp]) -> str:
    worst = int(among[parity.differences[among].argmax()])
    values = ", ".join(f"{name}={_shown(value)}" for name, value in rows.iloc[worst].items())
    return (
        f"{len(among):,} of {len(rows):,} held-out rows differ by more than {parity.tolerance:.2g}. The worst is row "
        f"{rows.index[worst]!r} ({values}): original {parity.expected[worst]:.9g}, converted {parity.answered[worst]:.9g}"
    )


def _shown(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)
