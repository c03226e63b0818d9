"""The verdict on a shadow, and the figures that people see with it: the same report as a canary's."""

from __future__ import annotations

from math import log

from lockgate.domain.rollouts import JudgePolicy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge.bounds import harm_bound, router_bound, safe_bound
from lockgate.stages.deliver.judge.report import SMALLEST, Rate, Report
from lockgate.stages.deliver.judge.router import Assigned
from lockgate.stages.deliver.shadow.evidence import harm_evidence, harm_shares, limit, safe_evidence
from lockgate.stages.deliver.shadow.state import EVENTS, ShadowState
from lockgate.stats.combine import log_weighted_sum


def report(state: ShadowState, *, extensions: int = 0) -> Report:
    """The judge's word.

    HARM is looked at first. SAFE needs a proof for each metric, and `min_units`. INCONCLUSIVE: neither, after `max_units` units
    with a pair, or as many pairs as those units' windows hold (few users who return for ever are no new evidence); where labels
    or their loss are judged, both are counted in labelled pairs, because labels come late. `extensions` adds as many budgets.
    Nobody was exposed, and no unit was assigned to an arm.
    """
    policy, harm, safe = state.policy, harm_evidence(state), safe_evidence(state)
    shares = harm_shares(policy)
    total = float(log_weighted_sum(list(harm.values()), [shares[metric] for metric in harm]))
    unproven = tuple(metric for metric, value in safe.items() if value < safe_bound(policy))
    units, outcomes = _budgeted(state)
    verdict = JudgeVerdict.WAIT
    if total >= harm_bound(policy):
        verdict = JudgeVerdict.HARM
    elif units >= policy.min_units and not unproven:
        verdict = JudgeVerdict.SAFE
    elif _spent(state, units, outcomes, 1 + extensions):
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
        rates={metric: _rates(state, metric) for metric in policy.metrics if metric in EVENTS},
        limits={metric: limit(policy, metric) for metric in policy.metrics if metric != "labels"},
        assigned=Assigned(0, 0, 0.0),
        losses=state.loss.mean.figures(state.loss.left_out) if "loss" in policy.metrics else None,
    )


def _budgeted(state: ShadowState) -> tuple[int, int]:
    """What the budget is of: units, and outcomes. A label without a loss is no proof, and uses up patience all the same."""
    if "labels" in state.policy.metrics:
        return state.tallies["labels"].units, state.labels
    if "loss" in state.policy.metrics:
        return state.loss.mean.units, state.loss.pairs + state.loss.left_out
    return state.tallies["agreement"].units, state.pairs


def _spent(state: ShadowState, units: int, outcomes: int, budgets: int) -> bool:
    budget = state.policy.max_units * budgets
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
        return Rate(tally.units, tally.units - tally.own_first), Rate(0, 0)
    return Rate(tally.units, tally.own_first), Rate(tally.units if metric == "labels" else 0, tally.other_first)
