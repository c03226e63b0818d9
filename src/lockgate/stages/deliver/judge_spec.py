"""What is judged, and how sure the judge must be, as people write it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.rollouts import Agreement, JudgePolicy, Loss, Margin, Predictions, Segments
from lockgate.kernel.quantities import format_share
from lockgate.stages.fields import ListOf, Number, Probability, Share, Spec

HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}", re.ASCII)
_FIELD = re.compile(r"\S{1,100}")
MOST_SEGMENTS = 64

OFF_BY = "event off: `threshold` of 0 or more expected, by which a score may differ from its label"

Metric = Literal["agreement", "errors", "latency", "labels", "loss"]
Margined = Literal["errors", "latency", "labels"]
Rate = Literal["errors", "labels"]


def checked_unit(value: str) -> str:
    kind, _, name = value.partition(":")
    if value == "request" or (kind == "header" and HEADER.fullmatch(name)) or (kind == "field" and _FIELD.fullmatch(name)):
        return value
    raise ValueError("request, header:NAME or field:NAME expected")


def checked_part(value: str) -> str:
    if value.partition(":")[0] not in ("header", "field"):
        raise ValueError("header:NAME or field:NAME expected")
    return checked_unit(value)


def different(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) < len(value):
        raise ValueError("each at most once expected")
    return value


def spelled(value: Any) -> str:
    """As JSON and headers spell it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise ValueError("text, a whole number, true or false expected")


class LabelsSpec(Spec):
    """The event that is judged when the truth comes: missed = true and scored below the threshold; off = farther from it."""

    event: Literal["missed", "false_alarm", "wrong", "off"]
    threshold: Number

    @model_validator(mode="after")
    def _a_tolerance_is_no_less_than_nothing(self) -> Self:
        if self.event == "off" and self.threshold < 0:
            raise ValueError(OFF_BY)
        return self


class AgreementSpec(Spec):
    """Two scores agree on the same side of `threshold`, or when they differ by at most `tolerance`."""

    at_least: Annotated[Share, Field(gt=0, lt=1)]
    threshold: Number | None = None
    tolerance: Annotated[Number, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _scores_are_compared_in_one_way(self) -> Self:
        if (self.threshold is None) == (self.tolerance is None):
            raise ValueError("either `threshold` or `tolerance` expected, which says when two scores agree")
        return self

    def agreement(self) -> Agreement:
        if self.tolerance is None:
            return Agreement(self.at_least, self.threshold)
        return Agreement(self.at_least, tolerance=self.tolerance)


class LossSpec(Spec):
    """How far a score is from its label, from 0 to 1; see domain.rollouts.Loss. scale: in the label's unit."""

    of: Literal["brier", "absolute"]
    scale: Annotated[Number, Field(gt=0)] | None = None
    margin: Annotated[Number, Field(gt=0, lt=1)] = 0.01

    @model_validator(mode="after")
    def _numbers_have_a_scale(self) -> Self:
        if self.of == "absolute" and self.scale is None:
            raise ValueError("loss absolute: `scale` expected, the difference of score and label from which on all are as bad")
        if self.of == "brier" and self.scale is not None:
            raise ValueError("loss brier knows no scale, because labels are 0 or 1: `of: absolute` expected, or none of it")
        return self

    def loss(self) -> Loss:
        return Loss(self.of, 1.0 if self.scale is None else self.scale, self.margin)


class MarginSpec(Spec):
    """SAFE must refute: the canary's rate ≥ ratio × the champion's, and ≥ floor."""

    ratio: Annotated[Number, Field(gt=1)]
    floor: Share


class SegmentsSpec(Spec):
    """by: what tells a request's segment. values: those that make one, in the form in which JSON and headers spell them."""

    by: Annotated[str, AfterValidator(checked_part)]
    values: Annotated[
        tuple[Annotated[str, BeforeValidator(spelled)], ...],
        Field(min_length=1, max_length=MOST_SEGMENTS),
        ListOf,
        AfterValidator(different),
    ]
    min_units: Annotated[int, Field(ge=0, le=1_000_000_000)] = 500


class PredictionsSpec(Spec):
    """When a canary that predicts otherwise pauses its rollout; see domain.rollouts.Predictions."""

    alpha: Probability = 0.01
    ratio: Annotated[Number, Field(ge=1, le=100)] = 1.25


class JudgeSpec(Spec):
    """What is judged and how sure the judge must be; see domain.rollouts.JudgePolicy."""

    alpha: Probability = 0.01
    beta: Probability = 0.05
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1), ListOf, AfterValidator(different)] = ("errors", "latency")
    labels: LabelsSpec | None = None
    agreement: AgreementSpec | None = None
    loss: LossSpec | None = None
    margins: dict[Margined, MarginSpec] = Field(default_factory=dict)
    requests_per_unit: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    min_units: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    max_units: Annotated[int, Field(ge=1, le=1_000_000_000)] = 100_000
    objectives: dict[Rate, Annotated[Share, Field(gt=0, lt=1)]] = Field(default_factory=dict)
    segments: SegmentsSpec | None = None
    predictions: PredictionsSpec | None = None
    router_alpha: Probability = 0.001
    alpha_per_year: Annotated[Share, Field(gt=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _a_year_has_room_for_a_rollout(self) -> Self:
        if self.alpha_per_year is not None and self.alpha_per_year < self.alpha:
            raise ValueError(f"alpha ({self.alpha}) of at most alpha_per_year ({format_share(self.alpha_per_year)}) expected")
        return self

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

    @model_validator(mode="after")
    def _agreement_is_declared(self) -> Self:
        if "agreement" in self.metrics and self.agreement is None:
            raise ValueError("metrics name agreement: `agreement: {at_least: 95%, threshold: …}` expected, which says what it is")
        return self

    @model_validator(mode="after")
    def _a_loss_is_declared_and_judged(self) -> Self:
        if "loss" in self.metrics and self.loss is None:
            raise ValueError("metrics name loss: `loss: {of: brier}` or `loss: {of: absolute, scale: …}` expected")
        if self.loss is not None and "loss" not in self.metrics:
            raise ValueError("`loss` found: `metrics` that name loss expected, or none of it")
        return self

    @model_validator(mode="after")
    def _rates_are_judged(self) -> Self:
        judged = [metric for metric in self.metrics if metric in get_args(Rate)]
        if unjudged := [metric for metric in self.objectives if metric not in judged]:
            raise ValueError(f"objectives of metrics expected, {unjudged[0]} found, which `metrics` does not name")
        if self.segments is not None and not judged:
            raise ValueError("`segments` found: errors or labels among the metrics expected, by which they are judged")
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
            objectives=dict(self.objectives.items()),
            segments=Segments(self.segments.by, tuple(self.segments.values), self.segments.min_units) if self.segments else None,
            predictions=Predictions(self.predictions.alpha, self.predictions.ratio) if self.predictions else None,
            router_alpha=self.router_alpha,
            alpha_per_year=self.alpha_per_year,
            agreement=self.agreement.agreement() if self.agreement else None,
            loss=self.loss.loss() if self.loss else None,
        )

    def shadow(self) -> JudgePolicy:
        """The same where the version is a shadow: by its agreement and its errors, unless something else is said."""
        said = "metrics" in self.model_fields_set
        return self.policy() if said else replace(self.policy(), metrics=("agreement", "errors"))

    def online(self) -> JudgePolicy:
        """The same where the version is a checkpoint: by its labels, unless something else is said."""
        said = "metrics" in self.model_fields_set
        return self.policy() if said else replace(self.policy(), metrics=("labels",))

    @property
    def event(self) -> LabelEvent | None:
        return LabelEvent(self.labels.event, self.labels.threshold) if self.labels else None


def check_shadow(judge: JudgeSpec) -> None:
    metrics = judge.shadow().metrics
    if "latency" in metrics:
        raise ValueError(
            "strategy shadow: metrics of agreement, errors, labels, loss expected; a shadow runs in a process of its own, with"
            " the lowest priority, so its latency is reported and never judged"
        )
    if "agreement" in metrics and judge.agreement is None:
        raise ValueError(
            "strategy shadow: `judge: {agreement: {at_least: 95%, threshold: …}}` expected, or `metrics` without agreement"
        )
    if judge.objectives or judge.segments or judge.predictions:
        raise ValueError("strategy shadow knows no objectives, segments or predictions: strategy canary expected, or none")
