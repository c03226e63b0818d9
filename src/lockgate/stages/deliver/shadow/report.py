"""The verdict on a shadow, and the figures that people see with it: the same report as a canary's."""

from __future__ import annotations

from math import log

from lockgate.domain.rollouts import JudgePolicy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge.bounds import harm_bound, router_bound, safe_bound
from lockgate.stages.deliver.judge.report import SMALLEST, Rate, Report
from lockgate.stages.deliver.judge.router import Assigned
from lockgate.stages.deliver.shadow.evidence import harm_evidence, harm_shares, limit, safe_evidence
from lockgate.stages.deliver.shadow.state import ShadowState
from lockgate.stats.combine import log_weighted_sum
from lockgate.stats.confidence import rate_interval


def report(state: ShadowState, *, extensions: int = 0) -> Report:
    """The judge's word.

    HARM is looked at first. SAFE needs a proof for each metric, and `min_units`. INCONCLUSIVE: neither, after `max_units` units
    with a pair, or as many pairs as those units' windows hold (few users who return for ever are no new evidence); where labels
    are judged, both are counted in labelled pairs, because labels come late. `extensions` adds as many budgets. Nobody was
    exposed, and no unit was assigned to an arm.
    """
    policy, harm, safe = state.policy, harm_evidence(state), safe_evidence(state)
    shares = harm_shares(policy)
    total = float(log_weighted_sum(list(harm.values()), [shares[metric] for metric in harm]))
    unproven = tuple(metric for metric, value in safe.items() if value < safe_bound(policy))
    units = state.tallies[_decisive(policy)].units
    verdict = JudgeVerdict.WAIT
    if total >= harm_bound(policy):
        verdict = JudgeVerdict.HARM
    elif units >= policy.min_units and not unproven:
        verdict = JudgeVerdict.SAFE
    elif _spent(state, units, 1 + extensions):
        verdict = JudgeVerdict.INCONCLUSIVE
    return Report(
        verdict=verdict,
        metrics=_deciding(policy, harm, unproven, verdict),
        evidence=_named(harm, total, safe),
        harm_bar=harm_bound(policy),
        safe_bar=safe_bound(policy),
        router_bar=router_bound(policy),
        requests=state.requests,
        exposed_requests=0,
        exposed_units=0,
        step_units=units,
        step_canary_units=units,
        rates={metric: _rates(state, metric) for metric in policy.metrics},
        limits={metric: limit(policy, metric) for metric in policy.metrics if metric != "labels"},
        assigned=Assigned(0, 0, 0.0),
    )


def _decisive(policy: JudgePolicy) -> str:
    """The metric whose units are the budget."""
    return "labels" if "labels" in policy.metrics else "agreement"


def _spent(state: ShadowState, units: int, budgets: int) -> bool:
    budget = state.policy.max_units * budgets
    outcomes = state.labels if "labels" in state.policy.metrics else state.pairs
    return units >= budget or outcomes >= budget * state.horizon


def _deciding(policy: JudgePolicy, harm: dict[str, float], unproven: tuple[str, ...], verdict: JudgeVerdict) -> tuple[str, ...]:
    """Under HARM those whose part of the sum is at least an even share of the bar: by the pigeonhole principle there is one."""
    if verdict is JudgeVerdict.HARM:
        bar, shares = -log(policy.alpha * len(policy.metrics)), harm_shares(policy)
        return tuple(metric for metric, value in harm.items() if value + log(shares[metric]) >= bar)
    return policy.metrics if verdict is JudgeVerdict.SAFE else unproven


def _named(harm: dict[str, float], total: float, safe: dict[str, float]) -> dict[str, float]:
    """A shadow's rollout is one step, so evidence of safety is that of step 0."""
    named = {f"harm/{metric}": value for metric, value in harm.items()} | {"harm": total}
    named |= {f"safe/{metric}@0": value for metric, value in safe.items()}
    return {name: max(value, SMALLEST) for name, value in named.items()}


def _rates(state: ShadowState, metric: str) -> tuple[Rate, Rate]:
    """By the first outcome of each unit. Of agreement and errors there is no champion's side: it has answered."""
    tally = state.tallies[metric]
    if metric == "agreement":
        return _rate(tally.units, tally.units - tally.own_first), _rate(0, 0)
    return _rate(tally.units, tally.own_first), _rate(tally.units if metric == "labels" else 0, tally.other_first)


def _rate(trials: int, events: int) -> Rate:
    low, high = rate_interval(trials, events)
    return Rate(trials, events, float(low), float(high))
