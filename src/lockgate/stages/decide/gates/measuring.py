"""What quality rules share: which examples can be measured at all, and how far resampling may be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lockgate.domain.verdicts import GateVerdict
from lockgate.stages.decide.gates.metrics import FEWEST, Examples, Floats, Metric, Need
from lockgate.stages.decide.gates.pairing import Pairing
from lockgate.stats.binomial import upper_bound
from lockgate.stats.bootstrap import CONFIDENCE, Interval, resampled

FEWEST_OF_A_CLASS = 20  # for the AUC
SEED = 0  # fixed: the same evaluation always gets the same verdict
_NO_WIDTH = 1e-12


class CannotTell(Exception):
    """The examples do not suffice; the message says why."""


class CannotMeasure(Exception):
    """The metric cannot be computed; the message says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: GateVerdict
    detail: str
    measured: dict[str, Any]


def demand(metric: Metric, examples: Examples, whose: str) -> None:
    """Return if these examples can be measured and are enough to say something.

    Raises:
        CannotMeasure, CannotTell: they cannot, or are not.
    """
    if (why_not := metric.why_not(examples)) is not None:
        raise CannotMeasure(f"{whose}: {why_not}")
    if len(examples) < FEWEST:
        raise CannotTell(f"{whose} has {len(examples)} examples, at least {FEWEST} are needed to judge")
    if metric.needs is not Need.NUMBERS and examples.smaller_class == 0:
        raise CannotTell(f"all {len(examples):,} labels of {whose} are {examples.label[0]:g}: one class alone tells nothing")
    if metric.name == "auc" and examples.smaller_class < FEWEST_OF_A_CLASS:
        fewest = f"at least {FEWEST_OF_A_CLASS} are needed to judge"
        raise CannotTell(f"{whose} has {examples.smaller_class} examples of the rarer class, {fewest}")


def paired(metric: Metric, pairing: Pairing, seed: int = SEED, draws: int | None = None) -> tuple[float, Floats]:
    """How much better the candidate is, and in each resample: both models under the same ones, so that what makes an example
    hard for both cancels out.
    """
    ours, theirs = metric.figure(pairing.candidate), metric.figure(pairing.champion)
    return resampled(
        lambda weights: metric.sign * (ours(weights) - theirs(weights)), len(pairing.candidate), seed=seed, draws=draws
    )


def unseen(metric: Metric, examples: Examples, tail: float = (1 - CONFIDENCE) / 2) -> float:
    """The share of examples that may be unlike those seen, which all agree: resampling them cannot tell.

    The AUC is a rate over pairs, and as many disjoint pairs can be formed as the rarer class has examples.

    Raises:
        CannotTell: what an example adds to the metric has no bounds.
    """
    if not metric.unit_range:
        raise CannotTell(f"{metric.name} is the same in every resample: how much unseen examples differ cannot be told")
    trials = examples.smaller_class if metric.name == "auc" else len(examples)
    return upper_bound(0, trials, tail)


def without_width(found: Interval) -> bool:
    return found.high - found.low <= _NO_WIDTH * max(1.0, abs(found.point))


def span(found: Interval) -> str:
    return f"{CONFIDENCE:.0%} interval [{found.low:.4g}, {found.high:.4g}]"
