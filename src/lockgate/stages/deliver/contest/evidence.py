"""E-values from the tallies. Pure functions of counts, so nothing can drift and labels may come in any order.

Of arms j and k, whichever way units were dealt out: given the past, a goal event that fell on one of the two fell on k with
probability w_k / (w_j + w_k) if both have the same rate, and with a smaller one if k's is lower. So the game of stats.odds can be
played between each two arms, with weights that follow from what was seen before, and with rates that move together.
"""

from __future__ import annotations

from math import log

import numpy as np

from lockgate.stages.deliver.contest.state import ContestState
from lockgate.stages.deliver.judge import JudgeState
from lockgate.stages.deliver.judge.evidence import harm_evidence
from lockgate.stages.deliver.judge.margins import harm_shares
from lockgate.stages.deliver.judge.router import log_e_fault
from lockgate.stats.combine import log_mean, log_weighted_sum
from lockgate.stats.odds import log_e_worse


def winner_bar(state: ContestState) -> float:
    """What must be reached against each other arm, as a natural logarithm.

    An arm that is not better than every other is declared with probability at most alpha: it would have to reach n / alpha
    against one that is as good, and there are n arms that could.
    """
    return log(state.arms / state.policy.alpha)


def harm_bar(state: ContestState) -> float:
    """That any harmless challenger is ever dropped has a probability of at most alpha."""
    return log((state.arms - 1) / state.policy.alpha)


def beats(state: ContestState, k: int, j: int) -> float:
    """Log e-value against "arm k is not better than arm j"."""
    more, fewer = (k, j) if state.contest.goal.most else (j, k)
    rows = [(w, n) for w, n in sorted(state.first.items()) if w[more] > 0 and w[fewer] > 0]
    weights = [w[more] / (w[more] + w[fewer]) for w, _ in rows]
    return float(log_e_worse(weights, [n[more] + n[fewer] for _, n in rows], [n[more] for _, n in rows]))


def harm(guard: JudgeState) -> float:
    """Log e-value against "the challenger's errors and latency are at most the champion's"."""
    found, shares = harm_evidence(guard), harm_shares(guard.policy)
    return float(log_weighted_sum([found[name] for name in shares], list(shares.values())))


def fault(state: ContestState) -> float:
    """Log e-value against "each new unit met each challenger with the probability of its weight"."""
    return float(log_mean(np.array([log_e_fault(one) for one in state.arrivals])))
