"""The judge of one rollout: as it begins, and after further observations. Its state is nothing but a fold over the journal."""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.domain.evidence import JournalRow, Observation
from lockgate.domain.rollouts import Plan, Rollout
from lockgate.stages.deliver.judge import JudgeState, begin, observe

BY_REQUEST = "request"  # the unit that is new with every request; any other comes again


def begun(plan: Plan | Rollout) -> JudgeState:
    """The judge before it has seen anything.

    Raises:
        InvalidInput: no judge can work by these steps and this policy.
    """
    return begin(plan.judge, plan.steps, sticky=plan.unit != BY_REQUEST)


def observed(state: JudgeState, observations: Iterable[Observation]) -> JudgeState:
    for observation in observations:
        state = observe(state, observation)
    return state


def fold(rollout: Rollout, rows: Iterable[JournalRow]) -> JudgeState:
    """The judge's state after the journal's rows: the same as when they were consumed, bit for bit."""
    state = begun(rollout)
    for row in rows:
        state = observed(state, row.observations)
    return state
