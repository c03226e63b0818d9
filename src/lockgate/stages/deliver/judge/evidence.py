"""E-values from the tallies. Pure functions of counts, so nothing can drift and any weight's counts may come late.

Many judges are looked at together, because a look is many small sums and NumPy's price is one for each call. No value depends on
what stands beside it: together and alone a judge's e-values are the same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lockgate.stages.deliver.judge.margins import objective_name, segment_name
from lockgate.stages.deliver.judge.state import JudgeState
from lockgate.stages.deliver.judge.tally import Floats, Tally, by_weight, columns
from lockgate.stats.absolute import log_e_above, log_e_below
from lockgate.stats.combine import log_mean, log_means
from lockgate.stats.odds import log_e_not_worse, log_e_worse

Truths: TypeAlias = NDArray[np.bool_]


def harm_evidence(state: JudgeState) -> dict[str, float]:
    """By name as in `harm_shares`, log e-values.

    Metrics and segments against "the canary's rate is at most the baseline's"; latency averages over quantiles, a segment over
    its metrics. Objectives against "the canary's rate is at most the limit".
    """
    return harm_of_each([state])[0]


def harm_of_each(states: Sequence[JudgeState]) -> list[dict[str, float]]:
    """`harm_evidence` of each."""
    compared = [part for state in states for part in _compared(state)]
    games = [by_weight(tally.first) for _, tallies in compared for tally in tallies]
    worse = iter(log_means(log_e_worse(*columns(games)), [len(tallies) for _, tallies in compared]).tolist())
    above = iter(_above_limits(states))
    found = []
    for state in states:
        values = {name: next(worse) for name, _ in _compared(state)}
        values |= {objective_name(metric): next(above) for metric in state.policy.objectives}
        found.append({name: values[name] for name in state.rules.shares})
    return found


def _compared(state: JudgeState) -> Iterator[tuple[str, list[Tally]]]:
    """What HARM compares between the arms: names, and the tallies whose e-values are averaged."""
    for family in state.rules.families:
        yield family.metric, [state.tallies[event] for event in family.events]
    if state.policy.segments:
        for value, segment in state.segments.items():
            yield segment_name(state.policy.segments, value), list(segment.tallies.values())


def _above_limits(states: Sequence[JudgeState]) -> list[float]:
    limits = [(state.tallies[metric], limit) for state in states for metric, limit in state.policy.objectives.items()]
    if not limits:
        return []
    trials, events = [tally.canary_trials for tally, _ in limits], [tally.canary_events for tally, _ in limits]
    found: list[float] = log_e_above(trials, events, [limit for _, limit in limits]).tolist()
    return found


def safe_evidence(state: JudgeState) -> dict[str, list[float]]:
    """By metric and step, log e-value against "the rate is at least ratio × the baseline's, and at least the floor".

    Latency must be proven at each of its quantiles: the smallest e-value counts.
    """
    return safety_of_each([state])[0]


def safety_of_each(states: Sequence[JudgeState]) -> list[dict[str, list[float]]]:
    """`safe_evidence` of each."""
    gates = iter(_gates(states))
    found = []
    for state in states:
        by_metric: dict[str, list[list[float]]] = {}
        for gate in state.rules.gates:
            by_metric.setdefault(gate.metric, []).append(next(gates))
        found.append({metric: [min(each) for each in zip(*proofs, strict=True)] for metric, proofs in by_metric.items()})
    return found


def _gates(states: Sequence[JudgeState]) -> list[list[float]]:
    """For each gate of each state, by step: the average of two e-processes, each valid where both halves of the null hold."""
    gates = [(state.tallies[gate.event], gate) for state in states for gate in state.rules.gates]
    steps = [len(gate.ratios) for _, gate in gates]

    def at_each_step(values: Sequence[float] | Floats) -> Floats:
        return np.repeat(np.asarray(values, dtype=float), steps, axis=0)

    margins = np.array([ratio for _, gate in gates for ratio in gate.ratios])
    weights, events, own = (at_each_step(column) for column in columns([by_weight(tally.outcomes) for tally, _ in gates]))
    possible = margins * at_each_step([tally.baseline_rate for tally, _ in gates]) < 1
    relative = _meaningful(log_e_not_worse(weights, events, own, margins), possible, steps)
    absolute = log_e_below(
        at_each_step([tally.canary_trials for tally, _ in gates]),
        at_each_step([tally.canary_events for tally, _ in gates]),
        [floor for _, gate in gates for floor in gate.floors],
    )
    logs = log_mean(np.stack([relative, absolute], axis=-1)).tolist()
    ends = np.cumsum(steps).tolist()
    return [logs[end - size : end] for end, size in zip(ends, steps, strict=True)]


def _meaningful(logs: Floats, possible: Truths, steps: Sequence[int]) -> Floats:
    """Without the steps that refute nothing: where ratio × the baseline's rate so far reaches 1, no canary could be that bad.

    Such a step takes on the demands of the next ones, up to the first that refutes something. Where none does (everything
    fails in both arms) the comparison is no evidence. This only ever lowers an e-value, so it stays valid.
    """
    if possible.all():
        return logs
    lowered, means, end = logs.tolist(), possible.tolist(), 0
    for size in steps:
        begin, end, demanded = end, end + size, -inf
        for step in reversed(range(begin, end)):
            demanded = lowered[step] if means[step] else min(lowered[step], demanded)
            lowered[step] = demanded
    return np.array(lowered)
