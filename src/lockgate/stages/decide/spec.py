"""The gates of a project: rules that a candidate must keep before the journey goes on, as people write them."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from lockgate.stages.decide.fairness_spec import FairnessSpec, one_column, one_or_many
from lockgate.stages.decide.packaged_spec import PackagedSpec
from lockgate.stages.decide.robustness_spec import RobustnessRule
from lockgate.stages.decide.skew_spec import SkewSpec
from lockgate.stages.decide.slices_spec import SlicesSpec
from lockgate.stages.decide.split_spec import SplitSpec
from lockgate.stages.decide.supply_chain_spec import SupplyChainSpec
from lockgate.stages.fields import ListOf, Spec


class Better(StrEnum):
    HIGHER = "higher"
    LOWER = "lower"


METRICS = {
    "auc": Better.HIGHER,
    "accuracy": Better.HIGHER,
    "brier": Better.LOWER,
    "log_loss": Better.LOWER,
    "mae": Better.LOWER,
    "rmse": Better.LOWER,
    "event_rate": Better.LOWER,  # of the judged event: `judge: labels:` of production
}


class Comparison(StrEnum):
    AT_LEAST = ">="
    AT_MOST = "<="
    NOT_WORSE = "not worse than champion by"


FEWEST_IN_A_SLICE = 100  # examples: with fewer, intervals are too narrow to be trusted
_LARGEST = 1_000_000_000
_MOST_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class QualityRule:
    """`auc >= 0.65`, `brier <= 0.2`, or `auc not worse than champion by 0.005`. `text` is as written in the project file.

    by: columns of the evaluation, in each of whose values (of several: in each combination) the rule must hold; none: in all
    examples together. min_slice: examples that each must have.
    """

    metric: str
    comparison: Comparison
    number: float
    text: str
    by: tuple[str, ...] = ()
    min_slice: int = FEWEST_IN_A_SLICE

    @property
    def better(self) -> Better:
        return METRICS[self.metric]


_RULE = re.compile(r"\s*(\S+)\s+(>=|<=|not worse than champion by)\s+(\S+)(?:\s+in each\s+(\S.*?))?\s*")
_FORMS = "`METRIC >= NUMBER`, `METRIC <= NUMBER` or `METRIC not worse than champion by NUMBER [in each COLUMN]`"


class QualityMapping(Spec):
    """A rule with more to say than a line holds."""

    rule: str
    by: Annotated[tuple[str, ...], ListOf, BeforeValidator(one_column)] = ()
    min_slice: int = FEWEST_IN_A_SLICE


def parse_rule(text: Any) -> QualityRule:
    """The rule that a line of the project file states.

    Raises:
        ValueError: the text is no rule, or names no metric that is known here.
    """
    match = _RULE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{_FORMS} expected")
    metric, comparison, number = match[1], Comparison(match[2]), _number(match[3])
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; {', '.join(METRICS)} expected{_meant(metric)}")
    if comparison is Comparison.NOT_WORSE and number < 0:
        raise ValueError(f"margin {number:g} found, 0 or more expected")
    by = tuple(re.split(r"\s+and\s+", match[4])) if match[4] else ()
    return checked(QualityRule(metric, comparison, number, " ".join(text.split()), by))


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is no number; {_FORMS} expected")
    return number


def _meant(metric: str) -> str:
    close = difflib.get_close_matches(metric, METRICS, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def checked(rule: QualityRule) -> QualityRule:
    """The rule itself.

    Raises:
        ValueError: its slices make no sense.
    """
    if rule.by and rule.comparison is not Comparison.NOT_WORSE:
        raise ValueError("`in each` belongs to rules that are `not worse than champion`")
    if len(set(rule.by)) != len(rule.by) or len(rule.by) > _MOST_COLUMNS:
        raise ValueError(f"up to {_MOST_COLUMNS} different columns expected, {' and '.join(rule.by)} found")
    if not FEWEST_IN_A_SLICE <= rule.min_slice <= _LARGEST:
        raise ValueError(f"min_slice {rule.min_slice} found, {FEWEST_IN_A_SLICE} or more expected")
    return rule


def _rule(value: Any) -> QualityRule:
    """A line, or `{rule: …, by: COLUMN or COLUMNS, min_slice: NUMBER}`."""
    if isinstance(value, QualityRule):
        return value
    if not isinstance(value, dict):
        return parse_rule(value)
    told = QualityMapping.model_validate(value)
    plain = parse_rule(told.rule)
    if plain.by and told.by:
        raise ValueError("either `by` or `in each` expected, not both")
    by = plain.by or told.by
    if not by:
        raise ValueError("`by` expected: the columns in each of whose values the rule must hold")
    text = plain.text if plain.by else f"{plain.text} in each {' and '.join(by)}"
    return checked(replace(plain, by=by, min_slice=told.min_slice, text=text))


def _spelled(rule: QualityRule) -> Any:
    return rule.text if rule.min_slice == FEWEST_IN_A_SLICE else {"rule": rule.text, "min_slice": rule.min_slice}


Rule = Annotated[QualityRule, BeforeValidator(_rule), PlainSerializer(_spelled, when_used="json")]


class GatesSpec(Spec):
    """quality: rules on the metrics of the held-out examples. fairness: on how unlike groups of them may be. robustness:
    on how answers may change when inputs do. packaged: limits of what it may cost to run it. split: of what
    held-out rows may have in common with those that were learned. slices: where it is worst. skew: how far what
    was learned from may be from what production asks.
    """

    quality: Annotated[tuple[Rule, ...], ListOf] = ()
    fairness: Annotated[tuple[FairnessSpec, ...], ListOf, BeforeValidator(one_or_many)] = ()
    robustness: Annotated[tuple[RobustnessRule, ...], ListOf] = ()
    packaged: PackagedSpec = PackagedSpec()
    split: SplitSpec = SplitSpec()
    slices: SlicesSpec | None = None
    skew: SkewSpec | None = None
    supply_chain: SupplyChainSpec | None = None
