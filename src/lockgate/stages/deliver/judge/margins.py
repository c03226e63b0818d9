"""What each step must prove, and how the sureness is shared among all that HARM is summed over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lockgate.domain.rollouts import JudgePolicy, Segments

SHARES = {"errors": 0.4, "latency": 0.2, "labels": 0.2}
_OBJECTIVES = _SEGMENTS = 0.1
"""Of alpha, for each metric, for all objectives together and for all segments together; what is not in use is shared out."""


def objective_name(metric: str) -> str:
    return f"objective.{metric}"


def segment_name(segments: Segments, value: str) -> str:
    """`segment.carrier=AA`"""
    return f"segment.{segments.by.partition(':')[2]}={value}"


def harm_shares(policy: JudgePolicy) -> dict[str, float]:
    """The weights of the e-values in HARM's sum, by name: metrics, objectives, segments. They add up to 1."""
    shares = {metric: SHARES[metric] for metric in policy.metrics}
    for metric in sorted(policy.objectives):
        shares[objective_name(metric)] = _OBJECTIVES / len(policy.objectives)
    if policy.segments:
        for value in policy.segments.values:
            shares[segment_name(policy.segments, value)] = _SEGMENTS / len(policy.segments.values)
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


def slack(policy: JudgePolicy, steps: int) -> NDArray[np.float64]:
    """How much wider the margins are at each step: `first_step_slack` at the first, shrinking geometrically to 1 at the last."""
    left = np.arange(steps - 1, -1, -1) / max(steps - 1, 1)
    return np.asarray(policy.first_step_slack**left)


def ratios(policy: JudgePolicy, metric: str, steps: int) -> NDArray[np.float64]:
    return policy.margins[metric].ratio * slack(policy, steps)


def floors(policy: JudgePolicy, metric: str, steps: int) -> NDArray[np.float64]:
    return policy.margins[metric].floor * slack(policy, steps)


def proven_quantiles(policy: JudgePolicy, *, sticky: bool) -> tuple[int, ...]:
    """Which of the quantiles SAFE looks at: those for which `ratio` × the baseline's rate is a rate.

    Of the baseline's requests 1 − q exceed its q-quantile, and about 1 − q^n of its units do so within n independent
    requests. HARM looks at all quantiles, for there the ratio is 1.
    """
    window = policy.requests_per_unit if sticky else 1
    ratio = policy.margins["latency"].ratio
    return tuple(i for i, q in enumerate(policy.quantiles) if ratio * (1 - q**window) < 1)
