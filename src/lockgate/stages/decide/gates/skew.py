"""Training-serving skew: is what the candidate learned from what production asks?

For each feature the distance between the training data and the recorded inputs is measured, as a population stability index.
With many rows every difference is significant, so it is the distance that is limited, and bounds say how well it is known.
PASS: the upper bounds of all features, at 97.5 % each, keep the limit. FAIL: some lower bound breaks it; the 2.5 % is shared out
among the features (Bonferroni), so that many of them fail no more often than one. INCONCLUSIVE: neither, or too few rows. Where
nothing was ever recorded there is nothing to compare with, as with a champion: the gate passes and says so. A model that was
never in use could not come into use otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.stages.decide.skew_spec import SkewSpec
from lockgate.stats.drift import Counts, psi_bounds

GATE = "skew"
_TAIL = 0.025
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Sides:
    """One feature's rows in the bins of the training data, and by how much they say less than independent ones would."""

    trained: Counts
    recorded: Counts
    inflation: float = 1.0

    @property
    def rows(self) -> int:
        return int(self.recorded.sum())


class _Feature(NamedTuple):
    name: str
    psi: float
    low: float
    high: float
    rows: int


def judge_skew(spec: SkewSpec, features: Mapping[str, Sides], rows: int) -> tuple[GateResult, ...]:
    """One result. features: all inputs of the candidate; of those that no record has, `recorded` is all zeros. rows: recorded."""
    rule = f"psi <= {spec.max:g}"
    names = list(features) if spec.features == "all" else list(spec.features)
    unknown = [name for name in names if name not in features]
    if unknown:
        why = f"the model has no input {unknown[0]!r}; it has {', '.join(features)}"
        return (GateResult(GATE, rule, GateVerdict.ERROR, why),)
    if rows == 0:
        why = "production has recorded nothing of this model yet: nothing to compare with"
        return (GateResult(GATE, rule, GateVerdict.PASS, why, {"rows": 0, "limit": spec.max}),)
    measured = [_measure(name, features[name], len(names)) for name in names if features[name].rows >= spec.min_rows]
    few = {name: features[name].rows for name in names if 0 < features[name].rows < spec.min_rows}
    absent = [name for name in names if features[name].rows == 0]
    verdict, told = _said(spec, measured, few)
    if absent:
        told += f". Not recorded, so not compared: {', '.join(absent[:_SHOWN])}"
    return (GateResult(GATE, rule, verdict, told, _figures(spec, measured, rows)),)


def _measure(name: str, sides: Sides, features: int) -> _Feature:
    """The lower bound is for one of many, the upper one for each."""
    psi, low, _ = psi_bounds(sides.trained, sides.recorded, sides.inflation, _TAIL / features)
    _, _, high = psi_bounds(sides.trained, sides.recorded, sides.inflation, _TAIL)
    return _Feature(name, psi, low, high, sides.rows)


def _said(spec: SkewSpec, measured: list[_Feature], few: Mapping[str, int]) -> tuple[GateVerdict, str]:
    broken = sorted((one for one in measured if one.low > spec.max), key=lambda one: -one.psi)
    if broken:
        others = f", and {', '.join(one.name for one in broken[1:_SHOWN])} too" if len(broken) > 1 else ""
        ask = "Is it made in training as it is in serving?"
        return GateVerdict.FAIL, f"{_told(broken[0])} from what production asks; {spec.max:g} is allowed{others}. {ask}"
    if few:
        name, rows = min(few.items(), key=lambda one: one[1])
        return GateVerdict.INCONCLUSIVE, f"{rows:,} rows of {name} were recorded, at least {spec.min_rows:,} are needed to judge"
    if not measured:
        return GateVerdict.INCONCLUSIVE, "none of the features was recorded"
    worst = max(measured, key=lambda one: one.high)
    told = f"{_told(worst)}, at most {worst.high:.3g}, the furthest of {len(measured)} features; {spec.max:g} is allowed"
    return (GateVerdict.PASS, told) if worst.high <= spec.max else (GateVerdict.INCONCLUSIVE, told)


def _told(one: _Feature) -> str:
    return f"{one.name} is {one.psi:.3g} (psi)"


def _figures(spec: SkewSpec, measured: list[_Feature], rows: int) -> dict[str, object]:
    ranked = sorted(measured, key=lambda one: -one.psi)[:_SHOWN]
    shown = {one.name: {"psi": one.psi, "low": one.low, "high": one.high, "n": one.rows} for one in ranked}
    return {"rows": rows, "limit": spec.max, "features": shown}
