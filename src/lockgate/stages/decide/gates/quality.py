"""Quality rules, judged by bootstrap intervals: a rule passes when the whole interval is on its good side.

PASS: all of the 95 % interval keeps the rule. FAIL: all of it breaks the rule. INCONCLUSIVE: the limit lies inside, or there are
too few examples to say anything. ERROR: the metric cannot be computed. So a model that breaks a rule passes it in 2.5 % of cases
at the most: when it is only just on the wrong side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evaluation import Evaluation
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.stages.decide.gates.metrics import EVENT_RATE, FEWEST, Examples, Floats, Metric, Need, known_metrics
from lockgate.stages.decide.gates.pairing import Pairing, pair
from lockgate.stages.decide.spec import Comparison, QualityRule
from lockgate.stats.binomial import upper_bound
from lockgate.stats.bootstrap import CONFIDENCE, POWER, Interval, interval, resampled

GATE = "quality"
FEWEST_OF_A_CLASS = 20  # for the AUC
_SEED = 0  # fixed: the same evaluation always gets the same verdict
_NO_WIDTH = 1e-12


class _CannotTell(Exception):
    """The examples do not suffice; the message says why."""


class _CannotMeasure(Exception):
    """The metric cannot be computed; the message says why."""


@dataclass(frozen=True, slots=True)
class _Finding:
    verdict: GateVerdict
    detail: str
    measured: dict[str, Any]


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
    return tuple(_judge(rule, known.get(rule.metric), candidate, pairing) for rule in rules)


def _judge(rule: QualityRule, metric: Metric | None, candidate: Examples, pairing: Pairing | None) -> GateResult:
    try:
        finding = _find(rule, metric, candidate, pairing)
    except _CannotTell as why:
        finding = _Finding(GateVerdict.INCONCLUSIVE, str(why), {"n": len(candidate)})
    except _CannotMeasure as why:
        finding = _Finding(GateVerdict.ERROR, str(why), {"n": len(candidate)})
    return GateResult(GATE, rule.text, finding.verdict, finding.detail, finding.measured)


def _find(rule: QualityRule, metric: Metric | None, candidate: Examples, pairing: Pairing | None) -> _Finding:
    if metric is None:
        raise _CannotMeasure(_unknown(rule.metric))
    _demand(metric, candidate, "the evaluation")
    if rule.comparison is not Comparison.NOT_WORSE:
        return _against_limit(rule, metric, candidate)
    if pairing is None:
        measured = {"candidate": metric.value(candidate), "n": len(candidate)}
        return _Finding(GateVerdict.PASS, "there is no champion yet: nothing to be worse than", measured)
    return _against_champion(rule, metric, pairing)


def _unknown(name: str) -> str:
    if name == EVENT_RATE:
        return f"{EVENT_RATE} is the rate of the event that production is judged by, and none is declared (judge: labels:)"
    return f"there is no metric {name!r}; there are {', '.join(known_metrics(None))} and {EVENT_RATE}"


def _demand(metric: Metric, examples: Examples, whose: str) -> None:
    """Raise unless these examples can be measured and are enough to say something."""
    if (why_not := metric.why_not(examples)) is not None:
        raise _CannotMeasure(f"{whose}: {why_not}")
    if len(examples) < FEWEST:
        raise _CannotTell(f"{whose} has {len(examples)} examples, at least {FEWEST} are needed to judge")
    if metric.needs is not Need.NUMBERS and examples.smaller_class == 0:
        raise _CannotTell(f"all {len(examples):,} labels of {whose} are {examples.label[0]:g}: one class alone tells nothing")
    if metric.name == "auc" and examples.smaller_class < FEWEST_OF_A_CLASS:
        fewest = f"at least {FEWEST_OF_A_CLASS} are needed to judge"
        raise _CannotTell(f"{whose} has {examples.smaller_class} examples of the rarer class, {fewest}")


def _against_limit(rule: QualityRule, metric: Metric, examples: Examples) -> _Finding:
    point, figures = resampled(metric.figure(examples), len(examples), seed=_SEED)
    found = _single(metric, examples, interval(point, figures))
    wanted = "at least" if rule.comparison is Comparison.AT_LEAST else "at most"
    verdict = _place(found, rule.number) if rule.comparison is Comparison.AT_LEAST else _place(_mirrored(found), -rule.number)
    detail = f"{metric.name} is {found.point:.4g}, {_span(found)}; {wanted} {rule.number:g} is asked{_power(verdict, found)}"
    measured = _figures(found) | {"limit": rule.number, "n": len(examples)}
    return _Finding(verdict, detail, measured)


def _against_champion(rule: QualityRule, metric: Metric, pairing: Pairing) -> _Finding:
    """Non-inferiority: the difference, turned so that more is better, must lie above minus the margin."""
    candidate, champion = pairing.candidate, pairing.champion
    _demand(metric, candidate, "the candidate's part of the comparison" if pairing.paired else "the evaluation")
    _demand(metric, champion, "the champion's evaluation")
    found = _difference(metric, pairing)
    verdict = _place(found, -rule.number)
    way = "better" if found.point >= 0 else "worse"
    told = f"{metric.name} is {abs(found.point):.4g} {way} than the champion's, {_span(found)}; {rule.number:g} worse is allowed"
    detail = f"{told}. Compared {pairing.how}{_power(verdict, found)}"
    measured = _figures(found) | {
        "candidate": metric.value(candidate),
        "champion": metric.value(champion),
        "margin": rule.number,
        "compared": "paired" if pairing.paired else "unpaired",
        "n": len(candidate),
        "n_champion": len(champion),
    }
    return _Finding(verdict, detail, measured)


def _difference(metric: Metric, pairing: Pairing) -> Interval:
    """How much better the candidate is, with the interval of that."""
    found = interval(*(_paired(metric, pairing) if pairing.paired else _unpaired(metric, pairing)))
    if not _without_width(found) or pairing.same_predictions:
        return found
    unseen = min(_unseen(metric, pairing.candidate), _unseen(metric, pairing.champion))
    return Interval(found.point, found.point - unseen, found.point + unseen, found.error)


def _paired(metric: Metric, pairing: Pairing) -> tuple[float, Floats]:
    """Both models under the same resamples: what makes an example hard for both cancels out."""
    ours, theirs = metric.figure(pairing.candidate), metric.figure(pairing.champion)
    return resampled(lambda weights: metric.sign * (ours(weights) - theirs(weights)), len(pairing.candidate), seed=_SEED)


def _unpaired(metric: Metric, pairing: Pairing) -> tuple[float, Floats]:
    """Each model under resamples of its own examples; another seed makes them independent."""
    ours, mine = resampled(metric.figure(pairing.candidate), len(pairing.candidate), seed=_SEED)
    theirs, yours = resampled(metric.figure(pairing.champion), len(pairing.champion), seed=_SEED + 1)
    draws = min(len(mine), len(yours))
    return metric.sign * (ours - theirs), metric.sign * (mine[:draws] - yours[:draws])


def _single(metric: Metric, examples: Examples, found: Interval) -> Interval:
    if not _without_width(found):
        return found
    unseen = _unseen(metric, examples)
    low = found.point * (1 - unseen)
    return Interval(found.point, low, low + unseen, found.error)


def _unseen(metric: Metric, examples: Examples) -> float:
    """The share of examples that may be unlike those seen, which all agree: resampling them cannot tell.

    The AUC is a rate over pairs, and as many disjoint pairs can be formed as the rarer class has examples.
    """
    if not metric.unit_range:
        raise _CannotTell(f"{metric.name} is the same in every resample: how much unseen examples differ cannot be told")
    trials = examples.smaller_class if metric.name == "auc" else len(examples)
    return upper_bound(0, trials, (1 - CONFIDENCE) / 2)


def _without_width(found: Interval) -> bool:
    return found.high - found.low <= _NO_WIDTH * max(1.0, abs(found.point))


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


def _span(found: Interval) -> str:
    return f"{CONFIDENCE:.0%} interval [{found.low:.4g}, {found.high:.4g}]"


def _power(verdict: GateVerdict, found: Interval) -> str:
    if verdict is not GateVerdict.INCONCLUSIVE:
        return ""
    return f". These examples tell a distance of {found.detectable():.2g} from the limit with {POWER:.0%} chance: hold out more"
