"""The gates of a project: rules that a candidate must keep before the journey goes on, as people write them."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from lockgate.stages.decide.fairness_spec import FairnessSpec, one_or_many
from lockgate.stages.decide.packaged_spec import PackagedSpec
from lockgate.stages.decide.robustness_spec import RobustnessRule
from lockgate.stages.decide.split_spec import SplitSpec
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


@dataclass(frozen=True, slots=True)
class QualityRule:
    """`auc >= 0.65`, `brier <= 0.2`, or `auc not worse than champion by 0.005`. `text` is as written in the project file."""

    metric: str
    comparison: Comparison
    number: float
    text: str

    @property
    def better(self) -> Better:
        return METRICS[self.metric]


_RULE = re.compile(r"\s*(\S+)\s+(>=|<=|not worse than champion by)\s+(\S+)\s*")
_FORMS = "`METRIC >= NUMBER`, `METRIC <= NUMBER` or `METRIC not worse than champion by NUMBER`"


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
    return QualityRule(metric, comparison, number, " ".join(text.split()))


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


def _rule(value: Any) -> QualityRule:
    return value if isinstance(value, QualityRule) else parse_rule(value)


Rule = Annotated[QualityRule, BeforeValidator(_rule), PlainSerializer(lambda rule: rule.text, when_used="json")]


class GatesSpec(Spec):
    """quality: rules on the metrics of the held-out examples. fairness: on how unlike groups of them may be. robustness:
    on how answers may change when inputs do. packaged: limits of what it may cost to run it. split: of what
    held-out rows may have in common with those that were learned.
    """

    quality: Annotated[tuple[Rule, ...], ListOf] = ()
    fairness: Annotated[tuple[FairnessSpec, ...], ListOf, BeforeValidator(one_or_many)] = ()
    robustness: Annotated[tuple[RobustnessRule, ...], ListOf] = ()
    packaged: PackagedSpec = PackagedSpec()
    split: SplitSpec = SplitSpec()
