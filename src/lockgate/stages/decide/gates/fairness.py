"""Fairness rules: is a rate alike in all groups, as far as the held-out examples can tell?

Each pair of groups is compared. PASS: in every pair the whole of the difference's (or the ratio's) upper bound keeps the limit.
FAIL: some pair is proven to break it. INCONCLUSIVE: neither, or a group has too few examples. ERROR: it cannot be measured.

Noise alone makes the greatest group's rate differ from the smallest's, the more so the more groups there are; a rule that looked
at that figure alone would refuse every fair model with small groups. Bounds of pairs do not: a PASS needs all of them at once, so
each may be at 97.5 %; a FAIL needs one of them, so their 2.5 % is shared out among all pairs.

The bounds of a pair meld the exact bounds of both rates (`lockgate.stats.two_rates`), so they hold in small groups too and where
nothing happened in one. The rates are those of Fairlearn's metrics of the same names; a ratio here is the greatest to the
smallest, the inverse of its.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evaluation import Evaluation
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.stages.decide.fairness_spec import FairnessSpec, Rate
from lockgate.stages.decide.gates.groups import Group, groups
from lockgate.stages.decide.gates.metrics import CUT, Examples
from lockgate.stats.binomial import lower_bound, upper_bound
from lockgate.stats.two_rates import bounds, p_apart, p_close

GATE = "fairness"
MOST_GROUPS = 50  # 1,225 pairs: a second or two
_TAIL = 0.025
_SHOWN = 20  # groups in the evidence; the rest is between them


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two groups, the one with the higher rate first. far, close: p-values against that they keep, or break, the limit."""

    rate: Rate
    more: Group
    less: Group
    far: float
    close: float


def judge_fairness(
    rules: Iterable[FairnessSpec], evaluation: Evaluation, threshold: float | None = None
) -> tuple[GateResult, ...]:
    """The verdict of each rule, in their order. threshold: of the judged event, where it has one (see `threshold_of`)."""
    return tuple(_judge(rule, evaluation, threshold) for rule in rules)


def threshold_of(event: LabelEvent | None) -> float | None:
    """The score from which the judged event takes an answer for a yes; None where it asks for no such thing.

    What `off` calls its threshold is a distance between score and label, and `true` looks at no score.
    """
    return event.threshold if event is not None and event.event in ("missed", "false_alarm", "wrong") else None


def _judge(rule: FairnessSpec, evaluation: Evaluation, threshold: float | None) -> GateResult:
    if (why_not := _why_not(rule, evaluation)) is not None:
        return GateResult(GATE, rule.text, GateVerdict.ERROR, why_not, {"n": len(evaluation)})
    cut = rule.threshold if rule.threshold is not None else CUT if threshold is None else threshold
    by_rate = {rate: groups(evaluation, rule.by, rate, cut) for rate in rule.rates}
    measured = {"n": len(evaluation), "threshold": cut, "groups": {str(rate): _shown(by_rate[rate]) for rate in by_rate}}
    if (too_few := _too_few(rule, by_rate)) is not None:
        return GateResult(GATE, rule.text, GateVerdict.INCONCLUSIVE, too_few, measured)
    pairs = [pair for rate, found in by_rate.items() for pair in _compared(rule, rate, found)]
    return _said(rule, pairs, measured)


def _why_not(rule: FairnessSpec, evaluation: Evaluation) -> str | None:
    missing = [column for column in rule.by if column not in evaluation.slices]
    if missing:
        known = ", ".join(sorted(evaluation.slices)) or "none"
        return f"the evaluation has no column {missing[0]!r} to group by; it has {known}. Add it to what `evaluation` returns"
    examples = Examples.of(evaluation)
    if not examples.finite or not examples.binary:
        return f"{rule.metric} needs labels that are 0 or 1, and no missing predictions"
    combined = len(set(zip(*(evaluation.slices[column] for column in rule.by), strict=True)))
    if combined > MOST_GROUPS:
        return f"{combined} groups by {', '.join(rule.by)} found, at most {MOST_GROUPS} expected"
    return "one group alone: there is nothing to compare" if combined < 2 else None  # noqa: PLR2004 - a pair


def _too_few(rule: FairnessSpec, by_rate: dict[Rate, list[Group]]) -> str | None:
    small = [
        (group.trials, group.name, rate) for rate, found in by_rate.items() for group in found if group.trials < rule.min_group
    ]
    if not small:
        return None
    trials, name, rate = min(small)
    more = f", and {len(small) - 1} more groups have too few" if len(small) > 1 else ""
    return f"{rate.value} of {name} is about {trials} examples, at least {rule.min_group} are needed to judge{more}"


def _compared(rule: FairnessSpec, rate: Rate, found: list[Group]) -> list[_Pair]:
    return [_pair(rule, rate, one, other) for one, other in combinations(found, 2)]


def _pair(rule: FairnessSpec, rate: Rate, one: Group, other: Group) -> _Pair:
    """In truth it may be the other group whose rate is higher: both ways round must be close."""
    more, less = (one, other) if one.rate >= other.rate else (other, one)
    ours, theirs, limit, ratio = more.counts, less.counts, rule.limit, rule.max_ratio is not None
    close = max(p_close(ours, theirs, limit, ratio=ratio), p_close(theirs, ours, limit, ratio=ratio))
    return _Pair(rate, more, less, p_apart(ours, theirs, limit, ratio=ratio), close)


def _said(rule: FairnessSpec, pairs: list[_Pair], measured: dict[str, Any]) -> GateResult:
    ratio, level = rule.max_ratio is not None, _TAIL / len(pairs)
    furthest, loosest = min(pairs, key=lambda pair: pair.far), max(pairs, key=lambda pair: pair.close)
    if furthest.far <= level:
        verdict, shown = GateVerdict.FAIL, furthest
    else:
        verdict, shown = GateVerdict.PASS if loosest.close <= _TAIL else GateVerdict.INCONCLUSIVE, loosest
    low, high = bounds(shown.more.counts, shown.less.counts, level, _TAIL, ratio=ratio)
    told = (
        f"{shown.rate.value} is {shown.more.rate:.4g} of {shown.more.name} and {shown.less.rate:.4g} of {shown.less.name}: "
        f"between {low:.3g} and {high:.3g} {'times' if ratio else 'apart'}; at most {rule.limit:g} is asked"
    )
    hint = ". Hold out more examples of these groups" if verdict is GateVerdict.INCONCLUSIVE else ""
    figures = {"low": low, "high": high, "limit": rule.limit, "pairs": len(pairs)}
    return GateResult(GATE, rule.text, verdict, told + hint, measured | figures)


def _shown(found: list[Group]) -> dict[str, dict[str, float]]:
    ends = sorted((group for group in found if group.trials), key=lambda group: group.rate)
    kept = ends if len(ends) <= _SHOWN else [*ends[: _SHOWN // 2], *ends[-_SHOWN // 2 :]]
    return {group.name: _figures(group) for group in kept}


def _figures(group: Group) -> dict[str, float]:
    """The rate with its exact 95 % interval."""
    hits, trials = group.counts
    low, high = lower_bound(hits, trials, _TAIL), upper_bound(hits, trials, _TAIL)
    return {"rate": group.rate, "low": low, "high": high, "n": trials}
