"""What to watch of a model in production, and what to do when something is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from lockgate.domain.findings import FindingKind
from lockgate.kernel.quantities import format_budget, parse_budget
from lockgate.stages.fields import Features, ListOf, Number, Probability, Seconds, Spec


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `count` in any `period` seconds."""

    count: int
    period: float


def _budget(value: Any) -> Budget:
    return value if isinstance(value, Budget) else Budget(*parse_budget(value if isinstance(value, str) else ""))


Rate = Annotated[
    Budget,
    BeforeValidator(_budget),
    PlainSerializer(lambda budget: format_budget(budget.count, budget.period), when_used="json"),
]


def _kind(value: Any) -> Any:
    """Strict models take no strings for enums; the file has nothing else."""
    kinds = [kind.value for kind in FindingKind]
    if value not in kinds:
        raise ValueError(f"{' or '.join(kinds)} expected")
    return FindingKind(value)


Kind = Annotated[FindingKind, BeforeValidator(_kind)]
Reactions = Annotated[tuple[Literal["notify", "retrain"], ...], ListOf]


class LabelsSpec(Spec):
    """delay: how long after its answer the truth about a prediction is usually known, in seconds."""

    delay: Seconds = 0.0


class DriftSpec(Spec):
    """When features are said to drift. All three must hold: significant, large enough, persistent.

    features: those to watch. alpha: false discovery rate over all features of a window. window: rows that are compared at a time.
    min_effect: population stability index below which a difference does not matter. persistence: windows in a row.
    """

    features: Features = "all"
    alpha: Probability = 0.01
    window: Annotated[int, Field(ge=50)] = 5000
    min_effect: Annotated[Number, Field(ge=0)] = 0.05
    persistence: Annotated[int, Field(ge=1)] = 2


class PerformanceSpec(Spec):
    """When performance is said to have dropped: the judged event became more than `max_event_ratio` times as frequent.

    window: labels that are looked at. alpha: chance of a false finding in one window.
    """

    max_event_ratio: Annotated[Number, Field(gt=1)] = 1.2
    window: Annotated[int, Field(ge=50)] = 2000
    alpha: Probability = 0.01


class RetrainSpec(Spec):
    """Brakes. cooldown: seconds between two retrainings. min_new_labels: since the last. budget: over a longer time."""

    cooldown: Seconds = 86400.0
    min_new_labels: Annotated[int, Field(ge=0)] = 1000
    budget: Rate = Budget(10, 604800.0)


class WatchSpec(Spec):
    """on: what to do when a kind of finding comes up; a kind that is not named is recorded and nothing else."""

    labels: LabelsSpec = LabelsSpec()
    drift: DriftSpec = DriftSpec()
    performance: PerformanceSpec = PerformanceSpec()
    on: dict[Kind, Reactions] = Field(default_factory=dict)
    retrain: RetrainSpec = RetrainSpec()
