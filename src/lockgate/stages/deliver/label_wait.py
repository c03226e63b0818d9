"""Labels by which a rollout is judged and which do not come: it would wait for them for ever, and nobody would be told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from lockgate.domain.evidence import Observation
from lockgate.domain.rollouts import JudgePolicy, Rollout, Strategy
from lockgate.stages.deliver.rollout import under_way

UNSAID = 86_400.0  # seconds that labels are waited for where nobody said how late they come
BY_LABELS = ("labels", "loss")  # metrics
_SURELY = 2.0  # times the usual delay: the first label comes that long after its answer, and nobody is called for a late one


def waits_for_labels(judge: JudgePolicy) -> bool:
    """Whether something is judged that only the truth can tell."""
    return any(metric in BY_LABELS for metric in judge.metrics)


def judged_by_labels(rollout: Rollout) -> bool:
    """Whether labels are awaited. Those of online learning come with their pairs."""
    goal = rollout.contest.goal.event if rollout.contest else None
    return rollout.strategy is not Strategy.ONLINE and (waits_for_labels(rollout.judge) or goal is not None)


def with_labels_seen(rollout: Rollout, seen: Iterable[Observation], now: datetime) -> Rollout:
    """The rollout with the time at which its judge was last told of a label."""
    came = any(one.pairs.losses or one.pairs.left_out or _labelled(one) for one in seen)
    return replace(rollout, labelled_at=now) if came else rollout


def _labelled(seen: Observation) -> bool:
    return any(arm.labels for arm in (seen.canary, seen.baseline, *seen.others))


def missing_since(rollout: Rollout, delay: float, now: datetime) -> datetime | None:
    """Since when labels should have come and none did; None while there is nothing to wonder at.

    delay: seconds after which the truth is usually known; 0: nobody said. Twice as long must have passed since the last label,
    or since the first request that could have one.
    """
    began = next((step.at for step in rollout.ramp if step.weight > 0), None)
    since = rollout.labelled_at or began
    if since is None or not (rollout.rows and under_way(rollout) and judged_by_labels(rollout)):
        return None
    return since if now - since > timedelta(seconds=_SURELY * delay or UNSAID) else None


def sentence(rollout: Rollout, since: datetime, pairs: int) -> str:
    """`12,400 pairs wait for their labels; none has come since 2026-01-05 10:00 UTC: send them to …`. pairs: of a shadow."""
    waits = f"{pairs:,} pairs wait for their labels" if pairs else "its answers wait for their labels"
    where = f"send them to /v2/models/{rollout.model}/feedback"
    named = " and ".join(metric for metric in rollout.judge.metrics if metric in BY_LABELS)
    otherwise = "set a goal that needs none" if rollout.contest else f"leave {named} out of judge: metrics"
    return f"{waits}; none has come since {since:%Y-%m-%d %H:%M} UTC: {where}, or abort it, {otherwise} and request it again"
