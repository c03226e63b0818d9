"""The verdict, and the figures that people see with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log

import numpy as np
from numpy.typing import NDArray

from lockgate.domain.contests import ArmFigures
from lockgate.domain.rollouts import JudgePolicy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge.bounds import harm_bound, router_bound, safe_bound
from lockgate.stages.deliver.judge.evidence import harm_evidence, safe_evidence
from lockgate.stages.deliver.judge.margins import harm_shares, segment_name
from lockgate.stages.deliver.judge.predictions import Difference, difference
from lockgate.stages.deliver.judge.router import Assigned, assigned, log_e_fault
from lockgate.stages.deliver.judge.state import JudgeState, Seen
from lockgate.stats.combine import log_weighted_sum
from lockgate.stats.confidence import rate_interval

SMALL_SEGMENTS = "segments"
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

    metrics: under HARM those that carry it (metrics, `objective.METRIC`, `segment.KEY=VALUE`; `segments` where it is only such
        as had too few units to be named), under SAFE all, under ROUTER_FAULT none, otherwise those that are not proven.
    evidence: natural logarithms of e-values: `harm/NAME`, `harm` (the weighted sum; bar: `harm_bar`), `safe/METRIC@STEP`
        (bar: `safe_bar`; STEP counts from 0), `router` (bar: `router_bar`), `predictions` (bar: `difference.bar`).
    rates: by event (`errors`, `latency.p99`, `labels`, `segment.KEY=VALUE/errors`), the canary's and the baseline's.
    limits: by metric, what the canary's rate may be at most. assigned: how new units met the arms. difference: of the arms'
        predictions, where they are compared. arms, winner: of a contest, and the winner's place among them.
    """

    verdict: JudgeVerdict
    metrics: tuple[str, ...]
    evidence: dict[str, float]
    harm_bar: float
    safe_bar: float
    router_bar: float
    requests: int
    exposed_requests: int
    exposed_units: int
    step_units: int  # of both arms at this step; labelled ones, where labels are judged
    step_canary_units: int
    rates: dict[str, tuple[Rate, Rate]]
    limits: dict[str, float] = field(default_factory=dict)
    assigned: Assigned = field(default_factory=Assigned)
    difference: Difference | None = None
    arms: tuple[ArmFigures, ...] = ()
    winner: int | None = None


def report(state: JudgeState, step: int, *, extensions: int = 0) -> Report:
    """The judge's word at `step` (from 0).

    ROUTER_FAULT is looked at first, because with a router at fault nothing else can be said; then HARM. SAFE needs each metric's
    gate at this step's margins, and `min_units` at this step. INCONCLUSIVE: neither, after `max_units` of the canary's units at
    this step, or as many requests as those units' windows hold (few users who return for ever are no new evidence). `extensions`
    adds as many budgets.

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
        _deciding(state, evidence, step, verdict),
        evidence.named(),
        harm_bound(state.policy),
        safe_bound(state.policy),
        router_bound(state.policy),
        state.requests,
        state.exposed_requests,
        state.exposed_units,
        units,
        seen.canary_units,
        _rates(state),
        dict(state.policy.objectives),
        assigned(state.arrivals),
        evidence.difference,
    )


@dataclass(frozen=True, slots=True)
class _Evidence:
    """log e-values: of harm by name and summed, of safety by metric for each step, of a router's fault, of predictions."""

    harm: dict[str, float]
    total: float
    safe: dict[str, NDArray[np.float64]]
    router: float
    difference: Difference | None

    def named(self) -> dict[str, float]:
        found = {f"harm/{name}": value for name, value in self.harm.items()}
        found["harm"] = self.total
        found |= {f"safe/{metric}@{step}": float(value) for metric, logs in self.safe.items() for step, value in enumerate(logs)}
        found["router"] = self.router
        if self.difference:
            found["predictions"] = self.difference.log_e
        return {name: max(value, SMALLEST) for name, value in found.items()}

    def unproven(self, step: int, bound: float) -> tuple[str, ...]:
        return tuple(metric for metric, logs in self.safe.items() if logs[step] < bound)


def _gathered(state: JudgeState) -> _Evidence:
    harm, shares = harm_evidence(state), harm_shares(state.policy)
    total = float(log_weighted_sum([harm[name] for name in shares], list(shares.values())))
    predictions = state.policy.predictions
    differ = difference(state.predictions, predictions) if predictions else None
    return _Evidence(harm, total, safe_evidence(state), log_e_fault(state.arrivals), differ)


def _verdict(policy: JudgePolicy, evidence: _Evidence, step: int, seen: Seen, units: int, budgets: int) -> JudgeVerdict:
    if evidence.router >= router_bound(policy):
        return JudgeVerdict.ROUTER_FAULT
    if evidence.total >= harm_bound(policy):
        return JudgeVerdict.HARM
    if units >= policy.min_units and not evidence.unproven(step, safe_bound(policy)):
        return JudgeVerdict.SAFE
    budget = policy.max_units * budgets
    if seen.canary_units >= budget or seen.canary_requests >= budget * policy.requests_per_unit:
        return JudgeVerdict.INCONCLUSIVE
    return JudgeVerdict.WAIT


def _deciding(state: JudgeState, evidence: _Evidence, step: int, verdict: JudgeVerdict) -> tuple[str, ...]:
    if verdict is JudgeVerdict.HARM:
        return _harmed(state, evidence)
    if verdict is JudgeVerdict.ROUTER_FAULT:
        return ()
    if verdict is JudgeVerdict.SAFE:
        return state.policy.metrics
    return evidence.unproven(step, safe_bound(state.policy))


def _harmed(state: JudgeState, evidence: _Evidence) -> tuple[str, ...]:
    """Those whose part of the sum is at least an even share of the bar: by the pigeonhole principle there is one."""
    shares, small = harm_shares(state.policy), _small(state)
    parts = {name: evidence.harm[name] + log(share) for name, share in shares.items()}
    bar = min(harm_bound(state.policy) - log(len(parts)), max(parts.values()))  # so that no rounding leaves it to nobody
    return tuple(name for name, part in parts.items() if part >= bar and name not in small) or (SMALL_SEGMENTS,)


def _small(state: JudgeState) -> set[str]:
    """Segments that have had too few units to be named."""
    segments = state.policy.segments
    if segments is None:
        return set()
    return {segment_name(segments, value) for value, one in state.segments.items() if one.units < segments.min_units}


def _rates(state: JudgeState) -> dict[str, tuple[Rate, Rate]]:
    tallies = dict(state.tallies)
    if state.policy.segments:
        for value, segment in state.segments.items():
            name = segment_name(state.policy.segments, value)
            tallies |= {f"{name}/{metric}": tally for metric, tally in segment.tallies.items()}
    trials = [(tally.canary_trials, tally.baseline_trials) for tally in tallies.values()]
    happened = [(tally.canary_events, tally.baseline_events) for tally in tallies.values()]
    low, high = rate_interval(trials, happened)
    return {
        event: (
            Rate(trials[i][0], happened[i][0], float(low[i, 0]), float(high[i, 0])),
            Rate(trials[i][1], happened[i][1], float(low[i, 1]), float(high[i, 1])),
        )
        for i, event in enumerate(tallies)
    }
