"""Not worse than the champion in each slice of the held-out examples, and not only on average.

Inside each slice both versions are measured under the same resamples of its examples. PASS needs all slices at once, so each
lower bound may stand at 97.5 %. FAIL needs one of them, and of twenty slices one looks worse by chance: their upper bounds hold
together, with the largest standardised error that any slice has in a resample (max-t bootstrap: Westfall and Young 1993), so
that a version that is worse by the margin itself in every slice fails in 2.5 % of cases, however many there are. Slices are
disjoint, and are resampled independently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from lockgate.domain.evaluation import Evaluation
from lockgate.domain.verdicts import GateVerdict
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
from lockgate.stages.decide.gates.metrics import Floats, Metric
from lockgate.stages.decide.gates.pairing import Pairing
from lockgate.stages.decide.spec import QualityRule
from lockgate.stats.bootstrap import CONFIDENCE, POWER, Interval, draws_for, interval

MOST_SLICES = 50
_TAIL = (1 - CONFIDENCE) / 2


@dataclass(frozen=True, slots=True)
class _Slice:
    """figures: how much better the candidate is in each resample."""

    name: str
    pairing: Pairing
    found: Interval
    figures: Floats

    def bound(self, reach: float) -> float:
        """The upper bound, so many standard errors away."""
        return self.found.point + reach * self.found.error if self.found.error > 0 else self.found.high


def in_each_slice(rule: QualityRule, metric: Metric, pairing: Pairing, evaluation: Evaluation) -> Finding:
    """The finding on a rule that has `by`.

    Raises:
        CannotMeasure: there are no such slices, or too many. CannotTell: the two versions did not answer the same examples.
    """
    parts = _parts(rule, pairing, evaluation)
    judged: list[_Slice] = []
    silent: dict[str, str] = {}
    for number, (name, part) in enumerate(parts.items()):
        try:
            judged.append(_slice(rule, metric, name, part, number, len(parts), draws_for(len(pairing.candidate))))
        except CannotTell as why:
            silent[name] = str(why)
    reach = _reach(judged)
    return Finding(*_said(rule, metric, judged, silent, reach), _measured(rule, pairing, judged, silent, reach))


def _parts(rule: QualityRule, pairing: Pairing, evaluation: Evaluation) -> dict[str, Pairing]:
    missing = [column for column in rule.by if column not in evaluation.slices]
    if missing:
        known = ", ".join(sorted(evaluation.slices)) or "none"
        raise CannotMeasure(
            f"the evaluation has no column {missing[0]!r} to slice by; it has {known}. Add it to what `evaluation` returns"
        )
    if not pairing.paired:
        raise CannotTell(f"slices are compared in pairs only, and the comparison is {pairing.how}")
    names = [" × ".join(values) for values in zip(*(evaluation.slices[column] for column in rule.by), strict=True)]
    found, place = np.unique(np.asarray(names, dtype=object)[pairing.rows], return_inverse=True)
    if len(found) > MOST_SLICES:
        raise CannotMeasure(f"{len(found)} slices by {' and '.join(rule.by)} found, at most {MOST_SLICES} expected")
    return {str(name): pairing.at(np.flatnonzero(place == number)) for number, name in enumerate(found)}


def _slice(rule: QualityRule, metric: Metric, name: str, part: Pairing, number: int, slices: int, draws: int) -> _Slice:
    if len(part.candidate) < rule.min_slice:
        raise CannotTell(f"{name} has {len(part.candidate)} examples, at least {rule.min_slice} are needed to judge")
    demand(metric, part.candidate, name)
    point, figures = paired(metric, part, seed=SEED + 1 + number, draws=draws)
    found = interval(point, figures)
    if without_width(found) and not part.same_predictions:
        more = unseen(metric, part.candidate, _TAIL / slices)
        found = Interval(found.point, found.point - more, found.point + more, 0.0)
    return _Slice(name, part, found, figures)


def _reach(judged: list[_Slice]) -> float:
    """How many standard errors upper bounds must lie away to hold in all slices together, but for a chance of 2.5 %."""
    spread = [(one.found.point - one.figures) / one.found.error for one in judged if one.found.error > 0]
    if not spread:
        return 0.0
    return float(np.quantile(np.nanmax(np.stack(spread), axis=0), 1 - _TAIL))


def _said(
    rule: QualityRule, metric: Metric, judged: list[_Slice], silent: dict[str, str], reach: float
) -> tuple[GateVerdict, str]:
    """A slice that is proven worse weighs more than one of which nothing can be said."""
    if not judged:
        return GateVerdict.INCONCLUSIVE, _quiet(silent)
    worst = min(judged, key=lambda one: one.bound(reach))
    if worst.bound(reach) < -rule.number:
        others = sum(one.bound(reach) < -rule.number for one in judged) - 1
        more = f", and so are {others} more" if others else ""
        proven = f"proven {-worst.bound(reach):.4g} worse or more among {len(judged)} slices{more}"
        return GateVerdict.FAIL, f"{_told(metric, worst)}: {proven}; {rule.number:g} is allowed"
    loosest = min(judged, key=lambda one: one.found.low)
    told = f"{_told(metric, loosest)}, {span(loosest.found)}, the least sure of {len(judged)} slices; {rule.number:g} is allowed"
    if loosest.found.low < -rule.number:
        tells = f"Its {len(loosest.pairing.candidate):,} examples tell {_detectable(loosest, reach):.2g} with {POWER:.0%} chance"
        told = f"{told}. {tells}: hold out more of it"
    elif not silent:
        return GateVerdict.PASS, told
    return GateVerdict.INCONCLUSIVE, f"{told}. {_quiet(silent)}" if silent else told


def _told(metric: Metric, one: _Slice) -> str:
    way = "better" if one.found.point >= 0 else "worse"
    return f"in {one.name} {metric.name} is {abs(one.found.point):.4g} {way} than the champion's"


def _quiet(silent: dict[str, str]) -> str:
    first = next(iter(silent.values()))
    return f"{first}, and {len(silent) - 1} more slices have too few" if len(silent) > 1 else first


def _detectable(one: _Slice, reach: float) -> float:
    """How far beyond the margin the truth must lie for this slice to be proven worse with a chance of 80 %."""
    return (reach + float(ndtri(POWER))) * one.found.error


def _measured(rule: QualityRule, pairing: Pairing, judged: list[_Slice], silent: dict[str, str], reach: float) -> dict[str, Any]:
    figures = {
        one.name: {
            "point": one.found.point,
            "low": one.found.low,
            "high": one.bound(reach),
            "n": len(one.pairing.candidate),
            "detectable": _detectable(one, reach),
        }
        for one in judged
    }
    detectable = {"detectable": max(figure["detectable"] for figure in figures.values())} if figures else {}
    about = {"n": len(pairing.candidate), "margin": rule.number, "compared": "paired", "too_few": sorted(silent)}
    return {**about, **detectable, "slices": figures, "confidence": CONFIDENCE, "power": POWER}
