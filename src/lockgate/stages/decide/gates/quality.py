"""Quality rules, judged by bootstrap intervals: a rule passes when the whole interval is on its good side.

PASS: all of the 95 % interval keeps the rule. FAIL: all of it breaks the rule. INCONCLUSIVE: the limit lies inside, or there are
too few examples to say anything. ERROR: the metric cannot be computed. So a model that breaks a rule passes it in 2.5 % of cases
at the most: when it is only just on the wrong side.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evaluation import Evaluation
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.stages.decide.gates.champion_slices import in_each_slice
from lockgate.stages.decide.gates.measuring import (
    SEED,
    CannotMeasure,
    CannotTell,
    Finding,
    demand,
    paired,
    span,
    unseen,
    without_width,
)
from lockgate.stages.decide.gates.metrics import EVENT_RATE, Examples, Floats, Metric, known_metrics
from lockgate.stages.decide.gates.pairing import Pairing, pair
from lockgate.stages.decide.spec import Comparison, QualityRule
from lockgate.stats.bootstrap import CONFIDENCE, POWER, Interval, interval, resampled

GATE = "quality"


def judge_gates(
    rules: Iterable[QualityRule],
    evaluation: Evaluation,
    champion: Evaluation | None,
    label_event: LabelEvent | None = None,
) -> tuple[GateResult, ...]:
    """The verdict of each quality rule about a candidate, in the order of the rules.

    `champion` is the evaluation of the version in use, None if there is none yet. Where both held out the same examples (found by
    their ids) the two are compared in pairs, which is far sharper than comparing two figures. `label_event` is the judged event
    of production, which `event_rate` is about.
    """
    candidate = Examples.of(evaluation)
    pairing = pair(evaluation, champion) if champion is not None else None
    known = known_metrics(label_event)
    return tuple(_judge(rule, known.get(rule.metric), evaluation, candidate, pairing) for rule in rules)


def _judge(
    rule: QualityRule, metric: Metric | None, evaluation: Evaluation, candidate: Examples, pairing: Pairing | None
) -> GateResult:
    try:
        finding = _find(rule, metric, evaluation, candidate, pairing)
    except CannotTell as why:
        finding = Finding(GateVerdict.INCONCLUSIVE, str(why), {"n": len(candidate)})
    except CannotMeasure as why:
        finding = Finding(GateVerdict.ERROR, str(why), {"n": len(candidate)})
    return GateResult(GATE, rule.text, finding.verdict, finding.detail, finding.measured)


def _find(
    rule: QualityRule, metric: Metric | None, evaluation: Evaluation, candidate: Examples, pairing: Pairing | None
) -> Finding:
    if metric is None:
        raise CannotMeasure(_unknown(rule.metric))
    demand(metric, candidate, "the evaluation")
    if rule.comparison is not Comparison.NOT_WORSE:
        return _against_limit(rule, metric, candidate)
    if pairing is None:
        measured = {"candidate": metric.value(candidate), "n": len(candidate)}
        return Finding(GateVerdict.PASS, "there is no champion yet: nothing to be worse than", measured)
    return in_each_slice(rule, metric, pairing, evaluation) if rule.by else _against_champion(rule, metric, pairing)


def _unknown(name: str) -> str:
    if name == EVENT_RATE:
        return f"{EVENT_RATE} is the rate of the event that production is judged by, and none is declared (judge: labels:)"
    return f"there is no metric {name!r}; there are {', '.join(known_metrics(None))} and {EVENT_RATE}"


def _against_limit(rule: QualityRule, metric: Metric, examples: Examples) -> Finding:
    point, figures = resampled(metric.figure(examples), len(examples), seed=SEED)
    found = _single(metric, examples, interval(point, figures))
    wanted = "at least" if rule.comparison is Comparison.AT_LEAST else "at most"
    verdict = _place(found, rule.number) if rule.comparison is Comparison.AT_LEAST else _place(_mirrored(found), -rule.number)
    detail = f"{metric.name} is {found.point:.4g}, {span(found)}; {wanted} {rule.number:g} is asked{_power(verdict, found)}"
    measured = _figures(found) | {"limit": rule.number, "n": len(examples)}
    return Finding(verdict, detail, measured)


def _against_champion(rule: QualityRule, metric: Metric, pairing: Pairing) -> Finding:
    """Non-inferiority: the difference, turned so that more is better, must lie above minus the margin."""
    candidate, champion = pairing.candidate, pairing.champion
    demand(metric, candidate, "the candidate's part of the comparison" if pairing.paired else "the evaluation")
    demand(metric, champion, "the champion's evaluation")
    found = _difference(metric, pairing)
    verdict = _place(found, -rule.number)
    way = "better" if found.point >= 0 else "worse"
    told = f"{metric.name} is {abs(found.point):.4g} {way} than the champion's, {span(found)}; {rule.number:g} worse is allowed"
    detail = f"{told}. Compared {pairing.how}{_power(verdict, found)}"
    measured = _figures(found) | {
        "candidate": metric.value(candidate),
        "champion": metric.value(champion),
        "margin": rule.number,
        "compared": "paired" if pairing.paired else "unpaired",
        "n": len(candidate),
        "n_champion": len(champion),
    }
    return Finding(verdict, detail, measured)


def _difference(metric: Metric, pairing: Pairing) -> Interval:
    """How much better the candidate is, with the interval of that."""
    found = interval(*(paired(metric, pairing) if pairing.paired else _unpaired(metric, pairing)))
    if not without_width(found) or pairing.same_predictions:
        return found
    more = min(unseen(metric, pairing.candidate), unseen(metric, pairing.champion))
    return Interval(found.point, found.point - more, found.point + more, found.error)


def _unpaired(metric: Metric, pairing: Pairing) -> tuple[float, Floats]:
    """Each model under resamples of its own examples; another seed makes them independent."""
    ours, mine = resampled(metric.figure(pairing.candidate), len(pairing.candidate), seed=SEED)
    theirs, yours = resampled(metric.figure(pairing.champion), len(pairing.champion), seed=SEED + 1)
    draws = min(len(mine), len(yours))
    return metric.sign * (ours - theirs), metric.sign * (mine[:draws] - yours[:draws])


def _single(metric: Metric, examples: Examples, found: Interval) -> Interval:
    if not without_width(found):
        return found
    more = unseen(metric, examples)
    low = found.point * (1 - more)
    return Interval(found.point, low, low + more, found.error)


def _place(found: Interval, limit: float) -> GateVerdict:
    """Where the interval lies when more is better."""
    if found.low >= limit:
        return GateVerdict.PASS
    return GateVerdict.FAIL if found.high < limit else GateVerdict.INCONCLUSIVE


def _mirrored(found: Interval) -> Interval:
    return Interval(-found.point, -found.high, -found.low, found.error)


def _figures(found: Interval) -> dict[str, Any]:
    """`detectable`: how far from the limit the truth must lie to be told by this many examples with a chance of 80 %."""
    figures = {"point": found.point, "low": found.low, "high": found.high, "detectable": found.detectable()}
    return figures | {"confidence": CONFIDENCE, "power": POWER}


def _power(verdict: GateVerdict, found: Interval) -> str:
    if verdict is not GateVerdict.INCONCLUSIVE:
        return ""
    return f". These examples tell a distance of {found.detectable():.2g} from the limit with {POWER:.0%} chance: hold out more"
