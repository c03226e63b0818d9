"""The judge of one rollout, whatever its strategy: as it begins, after further observations, and what it says.

Its state is nothing but a fold over the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from lockgate.boundary.observations import Cell, Feedback
from lockgate.boundary.routes import Bins, Thresholds
from lockgate.domain.contests import Contest
from lockgate.domain.evidence import JournalRow, Observation
from lockgate.domain.pairs import LabelledPair
from lockgate.domain.rollouts import Plan, Rollout, Strategy
from lockgate.stages.deliver import contest, evidence, explain, judge, shadow
from lockgate.stages.deliver.contest import ContestState
from lockgate.stages.deliver.judge import JudgeState, Report
from lockgate.stages.deliver.rollout import CONTESTS, PAIRED
from lockgate.stages.deliver.segments import concerning
from lockgate.stages.deliver.shadow import ShadowState

BY_REQUEST = "request"  # the unit that is new with every request; any other comes again

State: TypeAlias = JudgeState | ShadowState | ContestState


def begun(plan: Plan | Rollout) -> State:
    """The judge before it has seen anything.

    Raises:
        InvalidInput: no judge can work by these steps and this policy.
    """
    sticky = plan.unit != BY_REQUEST
    if plan.strategy in PAIRED:
        return shadow.begin(plan.judge, sticky=sticky)
    if plan.strategy in CONTESTS:
        return contest.begin(plan.judge, plan.contest or Contest(), sticky=sticky)
    return judge.begin(plan.judge, plan.steps, sticky=sticky)


def seen(
    rollout: Rollout, cells: Iterable[Cell], labels: Iterable[Feedback], pairs: Sequence[LabelledPair]
) -> tuple[Observation, ...]:
    """What of that concerns the rollout, as its judge is told. pairs: the rollout's own labelled ones.

    Raises:
        Invalid: cells that do not fit each other.
    """
    cells, labels = concerning(rollout, cells, labels)
    if rollout.strategy in PAIRED:
        return shadow.observations(rollout, cells, pairs)
    if rollout.strategy in CONTESTS:
        return contest.observations(rollout, cells, labels)
    return evidence.observations(rollout, cells, labels)


def observed(state: State, observations: Iterable[Observation]) -> State:
    for observation in observations:
        state = _observed(state, observation)
    return state


def _observed(state: State, observation: Observation) -> State:
    if isinstance(state, ShadowState):
        return shadow.observe(state, observation)
    return contest.observe(state, observation) if isinstance(state, ContestState) else judge.observe(state, observation)


def fold(rollout: Rollout, rows: Iterable[JournalRow]) -> State:
    """The judge's state after the journal's rows: the same as when they were consumed, bit for bit."""
    state = begun(rollout)
    for row in rows:
        state = observed(state, row.observations)
    return state


def report(state: State, step: int, *, extensions: int = 0) -> Report:
    """The judge's word. step: −1 before the first."""
    if isinstance(state, ShadowState):
        return shadow.report(state, extensions=extensions)
    if isinstance(state, ContestState):
        return contest.report(state, extensions=extensions)
    return judge.report(state, max(step, 0), extensions=extensions)


def reports(looks: Sequence[tuple[State, int, int]]) -> list[Report]:
    """`report` of each state, step and number of extensions, bit for bit; canaries' judges are asked together."""
    canaries = iter(
        judge.reports(
            [judge.Look(state, max(step, 0), extensions) for state, step, extensions in looks if isinstance(state, JudgeState)]
        )
    )
    return [
        next(canaries) if isinstance(state, JudgeState) else report(state, step, extensions=extensions)
        for state, step, extensions in looks
    ]


def sentence(rollout: Rollout, state: State, said: Report) -> str:
    if isinstance(state, ContestState):
        return contest.sentence(said, [one.version for one in rollout.contestants])
    if isinstance(state, ShadowState):
        return shadow.sentence(said, "checkpoint" if rollout.strategy is Strategy.ONLINE else "shadow")
    return explain.sentence(said)


def thresholds(state: State, id: int) -> Thresholds | None:  # noqa: A002 - the thresholds' own name for it
    """The latencies above which an answer is slow, once they are known. A shadow's latency is not judged."""
    if isinstance(state, ShadowState):
        return None
    return judge.thresholds(state.guards[0] if isinstance(state, ContestState) else state, id)


def bins(state: State, id: int) -> Bins | None:  # noqa: A002
    """Where scores are told apart, once it is known. A shadow's answers are compared one by one, not by their shares in bins."""
    if not isinstance(state, JudgeState) or state.policy.predictions is None:
        return None
    return judge.edges(state.predictions, id)
