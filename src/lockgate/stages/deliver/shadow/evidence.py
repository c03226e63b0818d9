"""E-values from the tallies. Pure functions of counts, so nothing can drift and labels may come in any order.

Of the loss alone it is capital won so far (see losses): the order counts, and the journal holds it.
"""

from __future__ import annotations

from lockgate.domain.rollouts import JudgePolicy
from lockgate.stages.deliver.shadow.state import SHARES, ShadowState
from lockgate.stages.deliver.shadow.tally import Tally
from lockgate.stats.absolute import log_e_above, log_e_below
from lockgate.stats.combine import log_mean
from lockgate.stats.paired_rates import log_e_paired_below
from lockgate.stats.pairs import log_e_pair_worse


def harm_shares(policy: JudgePolicy) -> dict[str, float]:
    """The weights of the metrics' e-values in HARM's sum; they add up to 1."""
    total = sum(SHARES[metric] for metric in policy.metrics)
    return {metric: SHARES[metric] / total for metric in policy.metrics}


def limit(policy: JudgePolicy, metric: str) -> float:
    """The rate of disagreements or of errors above which a shadow does harm and below which it is safe.

    Of the loss, by how much its mean may be higher than the champion's.

    Raises:
        KeyError: labels are held against the champion's, not against a limit.
    """
    if metric == "loss" and policy.loss is not None:
        return policy.loss.margin
    if metric == "agreement" and policy.agreement is not None:
        return 1.0 - policy.agreement.at_least
    return {"errors": policy.margins["errors"].floor}[metric]


def harm_evidence(state: ShadowState) -> dict[str, float]:
    """By metric, log e-value against "the rate is at most its limit"; of labels and loss against "at most the champion's"."""
    return {
        metric: state.loss.harm.log_e if metric == "loss" else _harm(state, metric, state.tallies[metric])
        for metric in state.policy.metrics
    }


def safe_evidence(state: ShadowState) -> dict[str, float]:
    """By metric, log e-value against "the rate is at least its limit".

    Of labels against "the rate is at least ratio × the champion's, and at least the floor"; of the loss against "its mean is at
    least the champion's and the margin".
    """
    return {
        metric: _little_lost(state) if metric == "loss" else _safe(state, metric, state.tallies[metric])
        for metric in state.policy.metrics
    }


def _harm(state: ShadowState, metric: str, tally: Tally) -> float:
    if metric == "labels":
        return float(log_e_pair_worse(tally.discordant, tally.own_discordant))
    return float(log_e_above(tally.units, tally.own_first, limit(state.policy, metric)))


def _safe(state: ShadowState, metric: str, tally: Tally) -> float:
    if metric == "labels":
        return _no_worse(state, tally)
    return float(log_e_below(tally.windows, tally.own / state.horizon, limit(state.policy, metric)))


def _little_lost(state: ShadowState) -> float:
    """Where the champion's mean loss so far and the margin reach 1, no shadow could be that bad: nothing is refuted."""
    mean, loss = state.loss.mean, state.policy.loss
    possible = loss is not None and mean.other + loss.margin * mean.units < mean.units
    return state.loss.safe.log_e if possible or not mean.units else float("-inf")


def _no_worse(state: ShadowState, tally: Tally) -> float:
    """The average of two e-processes that are each valid where both halves of the null hold.

    Where ratio × the champion's rate so far reaches 1, no shadow could be that bad: the comparison refutes nothing.
    """
    margin = state.policy.margins["labels"]
    both, own, other = (count / state.horizon for count in (tally.both, tally.own, tally.other))
    absolute = float(log_e_below(tally.windows, own + both, margin.floor))
    possible = margin.ratio * (other + both) < tally.windows
    relative = float(log_e_paired_below(both, own, other, margin.ratio)) if possible else float("-inf")
    return float(log_mean([relative, absolute]))
