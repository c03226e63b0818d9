"""The verdict, and the figures that people see with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log
from typing import NamedTuple

from lockgate.domain.contests import ArmFigures
from lockgate.domain.rollouts import JudgePolicy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge.bounds import harm_bound, router_bound, safe_bound
from lockgate.stages.deliver.judge.evidence import harm_of_each, safety_of_each
from lockgate.stages.deliver.judge.margins import segment_name
from lockgate.stages.deliver.judge.predictions import Difference, difference
from lockgate.stages.deliver.judge.router import Assigned, assigned, log_e_faults
from lockgate.stages.deliver.judge.state import JudgeState, Seen
from lockgate.stats.combine import log_weighted_sums
from lockgate.stats.confidence import rate_interval

SMALL_SEGMENTS = "segments"
SMALLEST = -1e4  # in place of the logarithm of 0, which JSON cannot write


@dataclass(frozen=True, slots=True)
class Rate:
    """events in trials. With a sticky unit trials are units whose window closed."""

    trials: int
    events: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % at all times at once."""
        low, high = rate_interval(self.trials, self.events)
        return float(low), float(high)


@dataclass(frozen=True, slots=True)
class LossFigures:
    """Mean losses of a shadow and of the champion, over labelled pairs of so many units, of each its first.

    low, high: of the difference, the shadow's less the champion's, 95 % at all times at once. left_out: labelled pairs whose
    label has no loss.
    """

    units: int
    shadow: float
    champion: float
    low: float
    high: float
    left_out: int


@dataclass(frozen=True, slots=True)
class Report:
    """What the judge says.

    metrics: under HARM those that carry it (metrics, `objective.METRIC`, `segment.KEY=VALUE`; `segments` where it is only such
        as had too few units to be named), under SAFE all, under ROUTER_FAULT none, otherwise those that are not proven.
    evidence: natural logarithms of e-values: `harm/NAME`, `harm` (the weighted sum; bar: `harm_bar`), `safe/METRIC@STEP`
        (bar: `safe_bar`; STEP counts from 0), `router` (bar: `router_bar`), `predictions` (bar: `difference.bar`).
    rates: by event (`errors`, `latency.p99`, `labels`, `segment.KEY=VALUE/errors`), the canary's and the baseline's.
    limits: by metric, what the canary's rate may be at most; of a loss, by how much the mean may be higher. assigned: how new
        units met the arms. difference: of the arms' predictions, where they are compared. arms, winner: of a contest, and the
        winner's place among them. losses: of a shadow that is judged by its loss, which is no rate.
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
    losses: LossFigures | None = None


def report(state: JudgeState, step: int, *, extensions: int = 0) -> Report:
    """The judge's word at `step` (from 0).

    ROUTER_FAULT is looked at first, because with a router at fault nothing else can be said; then HARM. SAFE needs each metric's
    gate at this step's margins, and `min_units` at this step. INCONCLUSIVE: neither, after `max_units` of the canary's units at
    this step, or as many requests as those units' windows hold (few users who return for ever are no new evidence). `extensions`
    adds as many budgets.

    Raises:
        ValueError: there is no such step.
    """
    return reports([Look(state, step, extensions)])[0]


class Look(NamedTuple):
    """The arguments of `report`."""

    state: JudgeState
    step: int
    extensions: int = 0


def reports(looks: Sequence[Look]) -> list[Report]:
    """`report` of each look, bit for bit, in a fraction of the time.

    Raises:
        ValueError: one of them is at a step that there is not.
    """
    for look in looks:
        if not 0 <= look.step < len(look.state.steps):
            raise ValueError(f"step {look.step} of {len(look.state.steps)}")
    return [_report(look, evidence) for look, evidence in zip(looks, _gathered([look.state for look in looks]), strict=True)]


def _report(look: Look, evidence: _Evidence) -> Report:
    state, step, extensions = look
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
    safe: dict[str, list[float]]
    router: float
    difference: Difference | None

    def named(self) -> dict[str, float]:
        found = {f"harm/{name}": value for name, value in self.harm.items()}
        found["harm"] = self.total
        found |= {f"safe/{metric}@{step}": value for metric, logs in self.safe.items() for step, value in enumerate(logs)}
        found["router"] = self.router
        if self.difference:
            found["predictions"] = self.difference.log_e
        return {name: max(value, SMALLEST) for name, value in found.items()}

    def unproven(self, step: int, bound: float) -> tuple[str, ...]:
        return tuple(metric for metric, logs in self.safe.items() if logs[step] < bound)


def _gathered(states: Sequence[JudgeState]) -> list[_Evidence]:
    if not states:
        return []
    harm, safe, router = harm_of_each(states), safety_of_each(states), log_e_faults([state.arrivals for state in states])
    shares = [share for state in states for share in state.rules.shares.values()]
    parts = [value for values in harm for value in values.values()]
    totals = log_weighted_sums(parts, shares, [len(values) for values in harm]).tolist()
    differ = [_differ(state) for state in states]
    return [_Evidence(*each) for each in zip(harm, totals, safe, router, differ, strict=True)]


def _differ(state: JudgeState) -> Difference | None:
    return difference(state.predictions, state.policy.predictions) if state.policy.predictions else None


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
    small = _small(state)
    parts = {name: evidence.harm[name] + log(share) for name, share in state.rules.shares.items()}
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
    return {
        event: (Rate(tally.canary_trials, tally.canary_events), Rate(tally.baseline_trials, tally.baseline_events))
        for event, tally in tallies.items()
    }
