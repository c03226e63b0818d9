"""Which part of the traffic a comparison is about, and so what of all that was observed is evidence for it.

A rollout in a segment is judged by what happened there. The one of the rest is judged by all but the segments that had champions
of their own when it began: what they answer was never assigned by its weights. No segment gains a champion while the rest is
being compared, and how segments are told apart stays as it was, so that both are known from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.boundary.observations import Cell, Feedback
from lockgate.domain.environments import PRODUCTION
from lockgate.domain.holds import Compared
from lockgate.domain.rollouts import Plan, Rollout, Strategy
from lockgate.stages.deliver.rollout import has_judge


def concerns(compared: Compared, segment: str) -> bool:
    """Whether what was seen in the segment is evidence for it. segment: "" for what is in none."""
    return segment == compared.segment if compared.segment else segment not in compared.apart


def segment_at(compared: Compared, place: int) -> str:
    """The segment at a place among the declared ones, from 1; 0, or one that there is not: none."""
    values = compared.segmentation.values if compared.segmentation else ()
    return values[place - 1] if 0 < place <= len(values) else ""


def concerning(
    compared: Compared, cells: Iterable[Cell], labels: Iterable[Feedback]
) -> tuple[tuple[Cell, ...], tuple[Feedback, ...]]:
    """What of that was seen where the comparison takes place."""
    return (
        tuple(one for one in cells if concerns(compared, one.segment)),
        tuple(one for one in labels if concerns(compared, segment_at(compared, one.segment))),
    )


def counts_traffic(plan: Plan | Rollout) -> bool:
    """Whether it is judged by what callers meet. A checkpoint of online learning is judged by its log of lessons alone."""
    return has_judge(plan) and plan.strategy is not Strategy.ONLINE


def keeps_segments(rollout: Rollout) -> bool:
    """Whether segments must be told apart as when it began, for as long as it is under way."""
    return rollout.environment == PRODUCTION and (bool(rollout.segment) or counts_traffic(rollout))
