"""How versions come into an environment, and who may let them: as people write it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationInfo, model_validator

from lockgate.domain.projects import ApprovalPolicy, Deployment, Environment
from lockgate.domain.rollouts import Plan, Strategy
from lockgate.kernel.quantities import format_duration, format_share
from lockgate.stages.deliver.contest_spec import ContestSpec, check_contest
from lockgate.stages.deliver.judge_spec import JudgeSpec, check_shadow, checked_unit, different
from lockgate.stages.deliver.online_spec import OnlineSpec, check_online
from lockgate.stages.deliver.rollout import PAIRED
from lockgate.stages.fields import ListOf, Name, Seconds, Share, Spec

_LONGEST_PREVIEW = 28 * 86400.0  # seconds
_SHARE: TypeAdapter[float] = TypeAdapter(Share)

Role = Literal["requester", "author"]


def _strategy(value: Any) -> Strategy:
    known = [strategy.value for strategy in Strategy]
    if value not in known:
        raise ValueError(f"{', '.join(known[:-1])} or {known[-1]} expected")
    return Strategy(value)


def deployment_named(value: Any) -> Deployment:
    """Raises:
    ValueError: there is none of that name.
    """
    known = [one.value for one in Deployment]
    if value not in known:
        raise ValueError(f"{' or '.join(known)} expected")
    return Deployment(value)


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


def _preview(value: float) -> float:
    if not 0 < value <= _LONGEST_PREVIEW:
        raise ValueError(f"more than 0s and at most {format_duration(_LONGEST_PREVIEW)} expected; without it a person switches")
    return value


class ApprovalsSpec(Spec):
    """need: yes of so many different people. not: who may not be one of them. from: roles of which each must have one."""

    need: Annotated[int, Field(ge=1, le=100)] = 1
    excluded: Annotated[tuple[Role, ...], ListOf, AfterValidator(different), Field(alias="not")] = ("requester", "author")
    roles: Annotated[tuple[Name, ...], ListOf, AfterValidator(different), Field(alias="from")] = ()

    def policy(self) -> ApprovalPolicy:
        return ApprovalPolicy(self.need, tuple(self.excluded), self.roles)


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
    online: OnlineSpec | None = None
    unit: Annotated[str, AfterValidator(checked_unit)] = "request"
    judge: JudgeSpec = JudgeSpec()
    approvals: ApprovalsSpec = ApprovalsSpec()
    deployment: Annotated[Deployment, BeforeValidator(deployment_named)] | None = None

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
    def _a_loss_needs_pairs(self) -> Self:
        if self.judge.loss is not None and self.strategy not in PAIRED:
            raise ValueError(
                f"strategy {self.strategy.value} knows no loss: strategy shadow or online expected, where the same label is held"
                " against both scores, or labels among the metrics"
            )
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
            check_contest(self.strategy, self.contest or ContestSpec(), self.judge)
        return self

    @model_validator(mode="after")
    def _lessons_belong_to_online_learning(self) -> Self:
        if self.strategy is Strategy.ONLINE:
            check_online(self.online, self.judge, self.unit)
        elif self.online is not None:
            raise ValueError(f"strategy {self.strategy.value} knows no online: strategy online expected, or none of it")
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
        if self.online is not None:
            plan = replace(plan, online=self.online.online(), judge=self.judge.online())
        approvals = replace(self.approvals.policy(), said="approvals" in self.model_fields_set)
        return Environment(plan, approvals, deployment=self.deployment)
