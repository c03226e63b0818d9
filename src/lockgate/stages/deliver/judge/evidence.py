"""E-values from the tallies. Pure functions of counts, so nothing can drift and any weight's counts may come late."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lockgate.stages.deliver.judge.margins import floors, objective_name, proven_quantiles, ratios, segment_name
from lockgate.stages.deliver.judge.state import Family, JudgeState, families
from lockgate.stages.deliver.judge.tally import Counts, Tally
from lockgate.stats.absolute import log_e_above, log_e_below
from lockgate.stats.combine import log_mean
from lockgate.stats.odds import log_e_not_worse, log_e_worse


def harm_evidence(state: JudgeState) -> dict[str, float]:
    """By name as in `harm_shares`, log e-values.

    Metrics and segments against "the canary's rate is at most the baseline's"; latency averages over quantiles, a segment over
    its metrics. Objectives against "the canary's rate is at most the limit".
    """
    found = {}
    for family in families(state.policy):
        found[family.metric] = _worse([state.tallies[event] for event in family.events])
    for metric, limit in sorted(state.policy.objectives.items()):
        tally = state.tallies[metric]
        found[objective_name(metric)] = float(log_e_above(tally.canary_trials, tally.canary_events, limit))
    if state.policy.segments:
        for value, segment in state.segments.items():
            found[segment_name(state.policy.segments, value)] = _worse(list(segment.tallies.values()))
    return found


def _worse(tallies: list[Tally]) -> float:
    return float(log_mean([float(log_e_worse(*_columns(tally.first))) for tally in tallies]))


def safe_evidence(state: JudgeState) -> dict[str, NDArray[np.float64]]:
    """By metric and step, log e-value against "the rate is at least ratio × the baseline's, and at least the floor".

    Latency must be proven at each of its quantiles: the smallest e-value counts.
    """
    return {
        family.metric: np.min([_gate(state, family, event) for event in _proven(state, family)], axis=0)
        for family in families(state.policy)
    }


def _proven(state: JudgeState, family: Family) -> tuple[str, ...]:
    if family.metric != "latency":
        return family.events
    return tuple(family.events[i] for i in proven_quantiles(state.policy, sticky=state.sticky))


def _gate(state: JudgeState, family: Family, event: str) -> NDArray[np.float64]:
    """The average of two e-processes that are each valid where both halves of the null hold."""
    tally, steps = state.tallies[event], len(state.steps)
    margins = ratios(state.policy, family.metric, steps)
    relative = _meaningful(log_e_not_worse(*_columns(tally.outcomes), margins), margins, tally)
    absolute = log_e_below(tally.canary_trials, tally.canary_events, floors(state.policy, family.metric, steps))
    return log_mean(np.stack([relative, absolute], axis=-1))


def _meaningful(logs: NDArray[np.float64], margins: NDArray[np.float64], tally: Tally) -> NDArray[np.float64]:
    """Without the steps that refute nothing: where ratio × the baseline's rate so far reaches 1, no canary could be that bad.

    Such a step takes on the demands of the next ones, up to the first that refutes something. Where none does (everything
    fails in both arms) the comparison is no evidence. This only ever lowers an e-value, so it stays valid.
    """
    possible = margins * tally.baseline_rate < 1
    if possible.all():
        return logs
    lowered = np.full(logs.shape, -np.inf)
    for step in range(len(logs)):
        last = next((later for later in range(step, len(logs)) if possible[later]), None)
        if last is not None:
            lowered[step] = logs[step : last + 1].min()
    return lowered


def _columns(counts: Counts) -> tuple[list[float], list[int], list[int]]:
    """Weights, events and canary's events, by weight: one order for all journals that hold the same counts."""
    rows = sorted(counts.items())
    return [weight for weight, _ in rows], [events for _, (events, _) in rows], [own for _, (_, own) in rows]
