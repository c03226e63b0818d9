"""How requests are answered in Production, and what is kept of the version before: as people write it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticKnownError

from lockgate.boundary.routes import OnFailure
from lockgate.domain.environments import STAGING
from lockgate.domain.projects import Answers, Environment, TrafficRule
from lockgate.kernel.quantities import format_duration, format_share
from lockgate.stages.deliver.champions_spec import ChampionsSpec, check_champions
from lockgate.stages.deliver.environment_spec import EnvironmentSpec
from lockgate.stages.deliver.hold_back import LEAVES_BEHIND, WATCHED
from lockgate.stages.deliver.judge_spec import HEADER, different, spelled
from lockgate.stages.deliver.order_spec import AfterSpec, spelled_out
from lockgate.stages.fields import ListOf, Seconds, Share, Spec

_LONGEST = 600.0  # seconds that a caller may be kept waiting
_MOST_HELD_BACK = 0.5
_LONGEST_HELD = 52 * 7 * 86400.0  # seconds
_MARGIN = 5.0  # seconds that an answer may need, beside its time-out, to be told of


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
    champions: ChampionsSpec | None = None
    after: Annotated[AfterSpec, BeforeValidator(spelled_out)] | None = None

    @model_validator(mode="after")
    def _what_is_held_back_is_compared(self) -> Self:
        if self.hold_back is not None:
            _check_hold_back(self.hold_back, self)
        elif self.held is not None:
            raise ValueError("held says how long something is held back: `hold_back: 5%` expected with it, or none of it")
        return self

    @model_validator(mode="after")
    def _champions_tell_segments_apart(self) -> Self:
        if self.champions is not None:
            check_champions(self.strategy, self.judge)
        return self

    def environment(self) -> Environment:
        made = super().environment()
        judge = replace(made.plan.judge, settled=self.timeout + _MARGIN)
        rules = tuple(one.rule() for one in self.rules)
        answers = Answers(OnFailure(self.on_failure), self.timeout, self.redact, rules)
        plan = replace(made.plan, judge=judge, hold_back=self.hold_back or 0.0, held=self.held or made.plan.held)
        return replace(
            made,
            plan=plan,
            answers=answers,
            after=self.after.after() if self.after else None,
            champions=self.champions.champions() if self.champions else None,
        )


def _check_hold_back(share: float, spec: EnvironmentSpec) -> None:
    if spec.strategy not in LEAVES_BEHIND:
        known = " or ".join(one.value for one in LEAVES_BEHIND)
        raise ValueError(f"strategy {spec.strategy.value} knows no hold_back: strategy {known} expected, or none of it")
    last = spec.steps[-1].share if spec.steps else 0.0
    left = round(1 - last, 12)  # 1 − 0.9 is a little less than 0.1
    if share > left:
        said = f"the last step of {format_share(last)} leaves no more with the version before"
        raise ValueError(f"hold_back of at most {format_share(left)} expected: {said}")
    if not set(spec.environment().plan.judge.metrics) & set(WATCHED):
        raise ValueError(
            "hold_back: errors or labels among the metrics expected; agreement and loss need a shadow, which has ended then"
        )
