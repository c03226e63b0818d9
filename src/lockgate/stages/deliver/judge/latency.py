"""From which latency on an answer counts as slow: the baseline's own quantiles, fixed before the requests compared with them."""

from __future__ import annotations

from lockgate.boundary.histogram import quantile
from lockgate.boundary.routes import Thresholds
from lockgate.stages.deliver.judge.state import JudgeState


def thresholds(state: JudgeState, id: int) -> Thresholds | None:  # noqa: A002 - the thresholds' own name for it
    """The thresholds, once the baseline has answered `latency_warm_up` requests; from then on always the same.

    The canary's are looser, (1 + tolerance) × the champion's + allowance (seconds), because nobody is hurt by 20 µs.
    """
    policy = state.policy
    if "latency" not in policy.metrics or sum(state.warm_up.values()) < policy.latency_warm_up:
        return None
    champion = tuple(quantile(state.warm_up, q) for q in policy.quantiles)
    canary = tuple((1 + policy.latency_tolerance) * value + policy.latency_allowance for value in champion)
    return Thresholds(id, policy.quantiles, champion, canary)
