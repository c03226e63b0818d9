"""How versions come into an environment, who may let them, and how its requests are answered: as people write it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticKnownError

from lockgate.boundary.routes import LabelEvent, OnFailure
from lockgate.domain.environments import PRODUCTION, STAGING
from lockgate.domain.projects import Answers, ApprovalPolicy, Environment, TrafficRule
from lockgate.domain.rollouts import JudgePolicy, Margin, Plan, Strategy
from lockgate.kernel.quantities import format_duration, format_share
from lockgate.stages.fields import ListOf, Number, Probability, Seconds, Share, Spec

_HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}", re.ASCII)
_FIELD = re.compile(r"\S{1,100}")
_LONGEST = 600.0  # seconds that a caller may be kept waiting

Metric = Literal["errors", "latency", "labels"]
Role = Literal["requester", "author"]


def _unit(value: str) -> str:
    kind, _, name = value.partition(":")
    if value == "request" or (kind == "header" and _HEADER.fullmatch(name)) or (kind == "field" and _FIELD.fullmatch(name)):
        return value
    raise ValueError("request, header:NAME or field:NAME expected")


def _strategy(value: Any) -> Strategy:
    known = [strategy.value for strategy in Strategy]
    if value not in known:
        raise ValueError(f"{' or '.join(known)} expected")
    return Strategy(value)


def _steps(value: tuple[float, ...]) -> tuple[float, ...]:
    for before, after in pairwise(value):
        if after <= before:
            raise ValueError(f"steps that grow expected, {format_share(after)} after {format_share(before)} found")
    if value and not (value[0] > 0 and value[-1] < 1):
        raise ValueError("steps above 0% and below 100% expected; after the last one the version is promoted")
    return value


def _different(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) < len(value):
        raise ValueError("each at most once expected")
    return value


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise ValueError("the name of a header expected")
    return value


def _named(value: str) -> str:
    if not value:
        raise ValueError("the name of an input expected")
    return value


def _timeout(value: float) -> float:
    if not 0 < value <= _LONGEST:
        raise ValueError(f"more than 0s and at most {format_duration(_LONGEST)} expected")
    return value


def _text(value: Any) -> str:
    """As JSON and headers spell it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise ValueError("text, a whole number, true or false expected")


def _target(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value == STAGING or (whole and value >= 1):
        return value
    raise PydanticKnownError("literal_error", {"expected": f"'{STAGING}' or the number of a version"})


class LabelsSpec(Spec):
    """The event that is judged when the truth comes: missed = true and scored below the threshold."""

    event: Literal["missed", "false_alarm", "wrong"]
    threshold: Number


class MarginSpec(Spec):
    """SAFE must refute: the canary's rate ≥ ratio × the champion's, and ≥ floor."""

    ratio: Annotated[Number, Field(gt=1)]
    floor: Share


class JudgeSpec(Spec):
    """What is judged and how sure the judge must be; see domain.rollouts.JudgePolicy."""

    alpha: Probability = 0.01
    beta: Probability = 0.05
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1), ListOf, AfterValidator(_different)] = ("errors", "latency")
    labels: LabelsSpec | None = None
    margins: dict[Metric, MarginSpec] = Field(default_factory=dict)
    requests_per_unit: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    min_units: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    max_units: Annotated[int, Field(ge=1, le=1_000_000_000)] = 100_000

    @model_validator(mode="after")
    def _units_leave_room(self) -> Self:
        if self.min_units > self.max_units:
            raise ValueError(f"min_units ({self.min_units}) of at most max_units ({self.max_units}) expected")
        return self

    @model_validator(mode="after")
    def _labels_have_an_event(self) -> Self:
        if "labels" in self.metrics and self.labels is None:
            raise ValueError("metrics name labels: `labels: {event: …, threshold: …}` expected, which says what is judged")
        return self

    def policy(self) -> JudgePolicy:
        default = JudgePolicy()
        return JudgePolicy(
            alpha=self.alpha,
            beta=self.beta,
            metrics=tuple(self.metrics),
            margins=default.margins | {name: Margin(one.ratio, one.floor) for name, one in self.margins.items()},
            label_event=self.event,
            requests_per_unit=self.requests_per_unit,
            min_units=self.min_units,
            max_units=self.max_units,
        )

    @property
    def event(self) -> LabelEvent | None:
        return LabelEvent(self.labels.event, self.labels.threshold) if self.labels else None


class ApprovalsSpec(Spec):
    """need: yes of so many different people. not: who may not be one of them."""

    need: Annotated[int, Field(ge=1, le=100)] = 1
    excluded: Annotated[tuple[Role, ...], ListOf, AfterValidator(_different), Field(alias="not")] = ("requester", "author")


class RuleSpec(Spec):
    """Requests that go to one version, because of what stands in a header or, in all their rows, in a field."""

    header: Annotated[str, AfterValidator(_header)] | None = None
    field: Annotated[str, AfterValidator(_named)] | None = None
    values: Annotated[
        tuple[Annotated[str, BeforeValidator(_text)], ...],
        Field(min_length=1, alias="is"),
        ListOf,
        AfterValidator(_different),
    ]
    to: Annotated[int | Literal["staging"], BeforeValidator(_target)]

    @model_validator(mode="after")
    def _looks_at_one_thing(self) -> Self:
        if (self.header is None) == (self.field is None):
            raise ValueError("either `header` or `field` expected, which says what is looked at")
        return self

    def rule(self) -> TrafficRule:
        return TrafficRule(self.values, self.to, self.header, self.field)


class EnvironmentSpec(Spec):
    strategy: Annotated[Strategy, BeforeValidator(_strategy)] = Strategy.REPLACE
    steps: Annotated[tuple[Share, ...], ListOf, AfterValidator(_steps)] = ()
    unit: Annotated[str, AfterValidator(_unit)] = "request"
    judge: JudgeSpec = JudgeSpec()
    approvals: ApprovalsSpec = ApprovalsSpec()

    @model_validator(mode="after")
    def _steps_belong_to_a_canary(self) -> Self:
        if self.strategy is Strategy.CANARY and not self.steps:
            raise ValueError("strategy canary: `steps` expected, such as [1%, 5%, 25%, 50%]")
        if self.strategy is not Strategy.CANARY and self.steps:
            raise ValueError(f"strategy {self.strategy.value} knows no steps: strategy canary expected, or none of them")
        return self

    def environment(self) -> Environment:
        plan = Plan(self.strategy, self.steps, self.unit, self.judge.policy())
        return Environment(plan, ApprovalPolicy(self.approvals.need, tuple(self.approvals.excluded)))


class ProductionSpec(EnvironmentSpec):
    """With how requests are answered. Staging has none of its own: who asks for the version there is answered in the same way."""

    on_failure: Literal["champion", "error"] = "champion"
    timeout: Annotated[Seconds, AfterValidator(_timeout)] = 10.0
    redact: Annotated[
        tuple[Annotated[str, AfterValidator(_named)], ...],
        ListOf,
        AfterValidator(_different),
    ] = ()
    rules: Annotated[tuple[RuleSpec, ...], ListOf] = ()

    def environment(self) -> Environment:
        rules = tuple(one.rule() for one in self.rules)
        return replace(super().environment(), answers=Answers(OnFailure(self.on_failure), self.timeout, self.redact, rules))


def _without_traffic(value: EnvironmentSpec) -> EnvironmentSpec:
    if value.strategy is Strategy.CANARY:
        raise ValueError("strategy replace expected: staging has no traffic of its own that a canary could be judged by")
    return value


class DeliverySpec(Spec):
    """The environments that there are: the stages Staging and Production of the registry."""

    staging: Annotated[EnvironmentSpec, AfterValidator(_without_traffic)] = EnvironmentSpec()
    production: ProductionSpec = ProductionSpec()

    def environments(self) -> dict[str, Environment]:
        return {STAGING: self.staging.environment(), PRODUCTION: self.production.environment()}
