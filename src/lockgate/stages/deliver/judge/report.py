"""The verdict, and the figures that people see with it."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from lockgate.domain.rollouts import JudgePolicy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge.bounds import harm_bound, safe_bound
from lockgate.stages.deliver.judge.evidence import harm_evidence, safe_evidence
from lockgate.stages.deliver.judge.margins import harm_shares
from lockgate.stages.deliver.judge.state import JudgeState, Seen
from lockgate.stats.combine import log_weighted_sum
from lockgate.stats.confidence import rate_interval

SMALLEST = -1e4  # in place of the logarithm of 0, which JSON cannot write


@dataclass(frozen=True, slots=True)
class Rate:
    """events in trials; low and high: 95 % at all times at once. With a sticky unit trials are units whose window closed."""

    trials: int
    events: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Report:
    """What the judge says.

    metrics: under HARM those that carry it, under SAFE all, otherwise those that are not proven.
    evidence: natural logarithms of e-values: `harm/METRIC`, `harm` (the weighted sum; bar: `harm_bar`), `safe/METRIC@STEP`
        (bar: `safe_bar`; STEP counts from 0).
    rates: by event (`errors`, `latency.p99`, `labels`), the canary's and the baseline's.
    """

    verdict: JudgeVerdict
    metrics: tuple[str, ...]
    evidence: dict[str, float]
    harm_bar: float
    safe_bar: float
    requests: int
    exposed_requests: int
    exposed_units: int
    step_units: int  # of both arms at this step; labelled ones, where labels are judged
    step_canary_units: int
    rates: dict[str, tuple[Rate, Rate]]


def report(state: JudgeState, step: int, *, extensions: int = 0) -> Report:
    """The judge's word at `step` (from 0).

    HARM is looked at first. SAFE needs each metric's gate at this step's margins, and `min_units` at this step. INCONCLUSIVE:
    neither, after `max_units` of the canary's units at this step, or as many requests as those units' windows hold (few users
    who return for ever are no new evidence). `extensions` adds as many budgets.

    Raises:
        ValueError: there is no such step.
    """
    if not 0 <= step < len(state.steps):
        raise ValueError(f"step {step} of {len(state.steps)}")
    evidence = _gathered(state)
    seen = state.seen.get(state.steps[step], Seen())
    units = seen.labelled if "labels" in state.policy.metrics else seen.units
    verdict = _verdict(state.policy, evidence, step, seen, units, 1 + extensions)
    return Report(
        verdict,
        _deciding(state.policy, evidence, step, verdict),
        evidence.named(),
        harm_bound(state.policy),
        safe_bound(state.policy),
        state.requests,
        state.exposed_requests,
        state.exposed_units,
        units,
        seen.canary_units,
        _rates(state),
    )


@dataclass(frozen=True, slots=True)
class _Evidence:
    """log e-values: by metric, summed, and by metric for each step."""

    harm: dict[str, float]
    total: float
    safe: dict[str, NDArray[np.float64]]

    def named(self) -> dict[str, float]:
        harm = {f"harm/{metric}": value for metric, value in self.harm.items()}
        gates = {f"safe/{metric}@{step}": float(value) for metric, logs in self.safe.items() for step, value in enumerate(logs)}
        return {name: max(value, SMALLEST) for name, value in {**harm, "harm": self.total, **gates}.items()}

    def unproven(self, step: int, bound: float) -> tuple[str, ...]:
        return tuple(metric for metric, logs in self.safe.items() if logs[step] < bound)


def _gathered(state: JudgeState) -> _Evidence:
    harm = harm_evidence(state)
    return _Evidence(harm, float(log_weighted_sum(list(harm.values()), harm_shares(state.policy))), safe_evidence(state))


def _verdict(policy: JudgePolicy, evidence: _Evidence, step: int, seen: Seen, units: int, budgets: int) -> JudgeVerdict:
    if evidence.total >= harm_bound(policy):
        return JudgeVerdict.HARM
    if units >= policy.min_units and not evidence.unproven(step, safe_bound(policy)):
        return JudgeVerdict.SAFE
    budget = policy.max_units * budgets
    if seen.canary_units >= budget or seen.canary_requests >= budget * policy.requests_per_unit:
        return JudgeVerdict.INCONCLUSIVE
    return JudgeVerdict.WAIT


def _deciding(policy: JudgePolicy, evidence: _Evidence, step: int, verdict: JudgeVerdict) -> tuple[str, ...]:
    """Under HARM those whose part of the sum is at least an even share of the bar: by the pigeonhole principle there is one."""
    if verdict is JudgeVerdict.HARM:
        bar = -log(policy.alpha * len(policy.metrics))
        parts = zip(evidence.harm.items(), harm_shares(policy), strict=True)
        return tuple(metric for (metric, value), share in parts if value + log(share) >= bar)
    return policy.metrics if verdict is JudgeVerdict.SAFE else evidence.unproven(step, safe_bound(policy))


def _rates(state: JudgeState) -> dict[str, tuple[Rate, Rate]]:
    events = list(state.tallies)
    tallies = state.tallies.values()
    trials = [(tally.canary_trials, tally.baseline_trials) for tally in tallies]
    happened = [(tally.canary_events, tally.baseline_events) for tally in tallies]
    low, high = rate_interval(trials, happened)
    return {
        event: (
            Rate(trials[i][0], happened[i][0], float(low[i, 0]), float(high[i, 0])),
            Rate(trials[i][1], happened[i][1], float(low[i, 1]), float(high[i, 1])),
        )
        for i, event in enumerate(events)
    }
