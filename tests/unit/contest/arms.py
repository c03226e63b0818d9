"""Traffic for a contest: requests and users with known rates, dealt out by the contest's own shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.contests import Contest, Goal
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import JudgePolicy
from lockgate.stages.deliver.contest import ContestState, begin, observe, report, shares
from lockgate.stages.deliver.judge import Report

POLICY = JudgePolicy(metrics=("errors",), max_units=10**9)
SALES = Goal(LabelEvent("true", 0.5), most=True)
THREE = Contest(contenders=(3,), goal=SALES)


def labelled(weights: Sequence[float], counts: Sequence[int], events: Sequence[int], key: int) -> Observation:
    """So many requests in each arm, all labelled, the first of them with the event; keys from `key` on."""
    arms = []
    for count, happened in zip(counts, events, strict=True):
        labels = tuple((key + i, int(i < happened)) for i in range(count))
        arms.append(ArmObservation(completed=int(count), labels=labels))
        key += int(count)
    return Observation(1 - weights[0], arms[1], arms[0], others=tuple(arms[2:]), weights=tuple(weights))


def failing(weights: Sequence[float], counts: Sequence[int], failed: Sequence[int]) -> Observation:
    arms = [ArmObservation(completed=int(n), failed=int(f)) for n, f in zip(counts, failed, strict=True)]
    return Observation(1 - weights[0], arms[1], arms[0], others=tuple(arms[2:]), weights=tuple(weights))


def played(
    rates: Sequence[float],
    *,
    seed: int,
    ticks: int,
    size: int = 500,
    contest: Contest = THREE,
    bandit: bool = False,
    policy: JudgePolicy = POLICY,
    to_the_end: bool = False,
) -> tuple[ContestState, Report]:
    """Ticks until the first word that is not WAIT, or to the end; a bandit's shares change after every tick."""
    random = np.random.default_rng(seed)
    state, weights = begin(policy, contest), contest.beginning
    said = report(state)
    for tick in range(ticks):
        counts = random.multinomial(size, weights).tolist()
        events = random.binomial(counts, rates).tolist()
        seen = labelled(weights, counts, events, tick * size) if contest.goal.event else failing(weights, counts, events)
        state = observe(state, seen)
        said = report(state)
        if said.verdict.value != "WAIT" and not to_the_end:
            break
        weights = shares(state, bandit=bandit)
    return state, said
