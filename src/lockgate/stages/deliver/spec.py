"""How versions come into an environment, who may let them, and how its requests are answered: as people write it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationInfo, model_validator
from pydantic_core import PydanticKnownError

from lockgate.boundary.routes import OnFailure
from lockgate.domain.environments import PRODUCTION, STAGING
from lockgate.domain.projects import Answers, ApprovalPolicy, Environment, TrafficRule
from lockgate.domain.rollouts import Plan, Strategy
from lockgate.kernel.quantities import format_duration, format_share
from lockgate.stages.deliver.contest_spec import ContestSpec
from lockgate.stages.deliver.hold_back import LEAVES_BEHIND
from lockgate.stages.deliver.judge_spec import HEADER, JudgeSpec, check_shadow, checked_unit, different, spelled
from lockgate.stages.fields import ListOf, Seconds, Share, Spec

_LONGEST = 600.0  # seconds that a caller may be kept waiting
_MOST_HELD_BACK = 0.5
_LONGEST_HELD = 52 * 7 * 86400.0  # seconds
_LONGEST_PREVIEW = 28 * 86400.0  # seconds
_SHARE: TypeAdapter[float] = TypeAdapter(Share)

_MARGIN = 5.0  # seconds that an answer may need, beside its time-out, to be told of

Role = Literal["requester", "author"]


def _strategy(value: Any) -> Strategy:
    known = [strategy.value for strategy in Strategy]
    if value not in known:
        raise ValueError(f"{', '.join(known[:-1])} or {known[-1]} expected")
    return Strategy(value)


def _step(value: Any, info: ValidationInfo) -> Any:
    """A share alone is a step that nobody need approve."""
    return value if isinstance(value, dict) else StepSpec(share=_SHARE.validate_python(value, context=info.context))


def _steps(value: tuple[StepSpec, ...]) -> tuple[StepSpec, ...]:
    shares = [step.share for step in value]
    for before, after in pairwise(shares):
        if after <= before:
            raise ValueError(f"steps that grow expected, {format_share(after)} after {format_share(before)} found")
    if shares and not (shares[0] > 0 and shares[-1] < 1):
        raise ValueError("steps above 0% and below 100% expected; after the last one the version is promoted")
    if value and value[0].approvals:
        raise ValueError(f"no approvals of the first step expected, {value[0].approvals} found: the request has the yes to it")
    return value


def _header(value: str) -> str:
    if not HEADER.fullmatch(value):
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


def _preview(value: float) -> float:
    if not 0 < value <= _LONGEST_PREVIEW:
        raise ValueError(f"more than 0s and at most {format_duration(_LONGEST_PREVIEW)} expected; without it a person switches")
    return value


def _hold_back(value: float) -> float:
    if not 0 < value <= _MOST_HELD_BACK:
        raise ValueError(f"more than 0% and at most {format_share(_MOST_HELD_BACK)} expected; without it nothing is held back")
    return value


def _held(value: float) -> float:
    if not 0 < value <= _LONGEST_HELD:
        raise ValueError(f"more than 0s and at most {format_duration(_LONGEST_HELD)} expected")
    return value


def _target(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value == STAGING or (whole and value >= 1):
        return value
    raise PydanticKnownError("literal_error", {"expected": f"'{STAGING}' or the number of a version"})


class ApprovalsSpec(Spec):
    """need: yes of so many different people. not: who may not be one of them."""

    need: Annotated[int, Field(ge=1, le=100)] = 1
    excluded: Annotated[tuple[Role, ...], ListOf, AfterValidator(different), Field(alias="not")] = ("requester", "author")


class RuleSpec(Spec):
    """Requests that go to one version, because of what stands in a header or, in all their rows, in a field."""

    header: Annotated[str, AfterValidator(_header)] | None = None
    field: Annotated[str, AfterValidator(_named)] | None = None
    values: Annotated[
        tuple[Annotated[str, BeforeValidator(spelled)], ...],
        Field(min_length=1, alias="is"),
        ListOf,
        AfterValidator(different),
    ]
    to: Annotated[int | Literal["staging"], BeforeValidator(_target)]

    @model_validator(mode="after")
    def _looks_at_one_thing(self) -> Self:
        if (self.header is None) == (self.field is None):
            raise ValueError("either `header` or `field` expected, which says what is looked at")
        return self

    def rule(self) -> TrafficRule:
        return TrafficRule(self.values, self.to, self.header, self.field)


class StepSpec(Spec):
    """approvals: how many people must say yes before the step begins, beside the proof of the one before."""

    share: Share
    approvals: Annotated[int, Field(ge=1, le=100)] | None = None


class EnvironmentSpec(Spec):
    strategy: Annotated[Strategy, BeforeValidator(_strategy)] = Strategy.REPLACE
    steps: Annotated[tuple[Annotated[StepSpec, BeforeValidator(_step)], ...], ListOf, AfterValidator(_steps)] = ()
    preview: Annotated[Seconds, AfterValidator(_preview)] | None = None
    share: Annotated[Share, Field(gt=0, le=1)] | None = None
    contest: ContestSpec | None = None
    unit: Annotated[str, AfterValidator(checked_unit)] = "request"
    judge: JudgeSpec = JudgeSpec()
    approvals: ApprovalsSpec = ApprovalsSpec()

    @model_validator(mode="after")
    def _steps_belong_to_a_canary(self) -> Self:
        if self.strategy is Strategy.CANARY and not self.steps:
            raise ValueError("strategy canary: `steps` expected, such as [1%, 5%, 25%, 50%]")
        if self.strategy is not Strategy.CANARY and self.steps:
            raise ValueError(f"strategy {self.strategy.value} knows no steps: strategy canary expected, or none of them")
        return self

    @model_validator(mode="after")
    def _a_preview_belongs_to_blue_green(self) -> Self:
        if self.preview is not None and self.strategy is not Strategy.BLUE_GREEN:
            raise ValueError(f"strategy {self.strategy.value} knows no preview: strategy blue-green expected, or none of it")
        return self

    @model_validator(mode="after")
    def _a_share_and_agreement_belong_to_a_shadow(self) -> Self:
        if self.strategy is not Strategy.SHADOW:
            for name, found in (("share", self.share), ("agreement", self.judge.agreement)):
                if found is not None:
                    raise ValueError(f"strategy {self.strategy.value} knows no {name}: strategy shadow expected, or none of it")
        return self

    @model_validator(mode="after")
    def _a_shadow_is_judged_by_pairs(self) -> Self:
        if self.strategy is Strategy.SHADOW:
            check_shadow(self.judge)
        return self

    @model_validator(mode="after")
    def _a_contest_belongs_to_ab_and_bandit(self) -> Self:
        contests = (Strategy.AB, Strategy.BANDIT)
        if self.contest is not None and self.strategy not in contests:
            raise ValueError(
                f"strategy {self.strategy.value} knows no contest: strategy ab-test or bandit expected, or none of it"
            )
        if self.strategy in contests:
            _check_contest(self.strategy, self.contest or ContestSpec(), self.judge)
        return self

    @model_validator(mode="after")
    def _predictions_are_compared_by_request(self) -> Self:
        if self.judge.predictions is not None and self.unit != "request":
            raise ValueError(f"unit {self.unit} found: `predictions` are compared by request only, unit request expected")
        return self

    def environment(self) -> Environment:
        shares, yes = tuple(step.share for step in self.steps), tuple(step.approvals or 0 for step in self.steps)
        judge = self.judge.shadow() if self.strategy is Strategy.SHADOW else self.judge.policy()
        share = self.share if self.share is not None else 1.0
        plan = Plan(self.strategy, shares, self.unit, judge, yes=yes if any(yes) else (), preview=self.preview, share=share)
        if self.strategy in (Strategy.AB, Strategy.BANDIT):
            plan = replace(plan, contest=(self.contest or ContestSpec()).contest())
        return Environment(plan, ApprovalPolicy(self.approvals.need, tuple(self.approvals.excluded)))


def _check_contest(strategy: Strategy, contest: ContestSpec, judge: JudgeSpec) -> None:
    if strategy is Strategy.AB and contest.of_a_bandit:
        raise ValueError(f"strategy ab-test keeps its split: no {contest.of_a_bandit[0]} expected, or strategy bandit")
    if unknown := [metric for metric in judge.metrics if metric not in ("errors", "latency")]:
        raise ValueError(
            f"strategy {strategy.value}: metrics of errors, latency expected, {unknown[0]} found; `goal` names the winner"
        )
    if judge.objectives or judge.segments or judge.predictions or judge.labels:
        raise ValueError(
            f"strategy {strategy.value} knows no objectives, segments, predictions and labels: `goal` names the winner"
        )


class ProductionSpec(EnvironmentSpec):
    """With how requests are answered. Staging has none of its own: who asks for the version there is answered in the same way."""

    on_failure: Literal["champion", "error"] = "champion"
    timeout: Annotated[Seconds, AfterValidator(_timeout)] = 10.0
    redact: Annotated[
        tuple[Annotated[str, AfterValidator(_named)], ...],
        ListOf,
        AfterValidator(different),
    ] = ()
    rules: Annotated[tuple[RuleSpec, ...], ListOf] = ()
    hold_back: Annotated[Share, AfterValidator(_hold_back)] | None = None
    held: Annotated[Seconds, AfterValidator(_held)] | None = None

    @model_validator(mode="after")
    def _what_is_held_back_is_compared(self) -> Self:
        if self.hold_back is not None:
            _check_hold_back(self.hold_back, self)
        elif self.held is not None:
            raise ValueError("held says how long something is held back: `hold_back: 5%` expected with it, or none of it")
        return self

    def environment(self) -> Environment:
        made = super().environment()
        judge = replace(made.plan.judge, settled=self.timeout + _MARGIN)
        rules = tuple(one.rule() for one in self.rules)
        answers = Answers(OnFailure(self.on_failure), self.timeout, self.redact, rules)
        plan = replace(made.plan, judge=judge, hold_back=self.hold_back or 0.0, held=self.held or made.plan.held)
        return replace(made, plan=plan, answers=answers)


def _check_hold_back(share: float, spec: EnvironmentSpec) -> None:
    if spec.strategy not in LEAVES_BEHIND:
        known = " or ".join(one.value for one in LEAVES_BEHIND)
        raise ValueError(f"strategy {spec.strategy.value} knows no hold_back: strategy {known} expected, or none of it")
    last = spec.steps[-1].share if spec.steps else 0.0
    left = round(1 - last, 12)  # 1 − 0.9 is a little less than 0.1
    if share > left:
        said = f"the last step of {format_share(last)} leaves no more with the version before"
        raise ValueError(f"hold_back of at most {format_share(left)} expected: {said}")
    if spec.environment().plan.judge.metrics == ("agreement",):
        raise ValueError("hold_back: errors or labels among the metrics expected; agreement needs a shadow, which has ended then")


def _without_traffic(value: EnvironmentSpec) -> EnvironmentSpec:
    if value.strategy is Strategy.CANARY:
        raise ValueError("strategy replace expected: staging has no traffic of its own that a canary could be judged by")
    if value.strategy is Strategy.BLUE_GREEN:
        raise ValueError("strategy replace expected: staging has no traffic of its own that could be switched")
    if value.strategy is Strategy.SHADOW:
        raise ValueError("strategy replace expected: staging has no traffic of its own that a shadow could be asked about")
    if value.strategy in (Strategy.AB, Strategy.BANDIT):
        raise ValueError("strategy replace expected: staging has no traffic of its own that could be dealt out")
    return value


class DeliverySpec(Spec):
    """The environments that there are: the stages Staging and Production of the registry."""

    staging: Annotated[EnvironmentSpec, AfterValidator(_without_traffic)] = EnvironmentSpec()
    production: ProductionSpec = ProductionSpec()

    def environments(self) -> dict[str, Environment]:
        return {STAGING: self.staging.environment(), PRODUCTION: self.production.environment()}
