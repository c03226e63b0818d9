"""Contests as people write them: who takes part, what the goal is, and how units are dealt out."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.contests import Allocation, Contest, Goal
from lockgate.domain.rollouts import Strategy
from lockgate.stages.deliver.judge_spec import OFF_BY, JudgeSpec
from lockgate.stages.fields import ListOf, Number, Seconds, Share, Spec

_MOST_CONTENDERS = 8
_SHORTEST_REWEIGH = 1.0  # seconds
_ROUNDING = 1e-9
_LOOKED_AT = ("from which on a score says yes", "by which a score may differ from its label")


def _event(value: Any) -> Any:
    """YAML reads `event: true` as a truth value; what is meant is the label's."""
    return "true" if value is True else value


def _allocation(value: Any) -> Allocation:
    known = [one.value for one in Allocation]
    if value not in known:
        raise ValueError(f"{' or '.join(known)} expected")
    return Allocation(value)


def _reweigh(value: float) -> float:
    if value < _SHORTEST_REWEIGH:
        raise ValueError("at least 1s expected: every change of the shares is a new route table")
    return value


def _numbers(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) < len(value):
        raise ValueError("each version at most once expected")
    return value


class GoalSpec(Spec):
    """What the winner has most, or fewest, of. threshold: of the score, for events that look at it."""

    event: Annotated[Literal["errors", "missed", "false_alarm", "wrong", "true", "off"], BeforeValidator(_event)] = "errors"
    threshold: Number | None = None
    best: Literal["fewest", "most"] = "fewest"

    @model_validator(mode="after")
    def _scores_are_looked_at_by_a_threshold(self) -> Self:
        looks = self.event in ("missed", "false_alarm", "wrong", "off")
        if looks and self.threshold is None:
            raise ValueError(f"event {self.event}: `threshold` expected, {_LOOKED_AT[self.event == 'off']}")
        if self.event == "off" and (self.threshold or 0.0) < 0:
            raise ValueError(OFF_BY)
        if not looks and self.threshold is not None:
            raise ValueError(f"event {self.event} looks at no score: no `threshold` expected")
        if self.event == "errors" and self.best == "most":
            raise ValueError("event errors: best fewest expected")
        return self

    def goal(self) -> Goal:
        if self.event == "errors":
            return Goal()
        return Goal(LabelEvent(self.event, self.threshold or 0.0), most=self.best == "most")


class ContestSpec(Spec):
    """contenders: versions beside the champion and the one that is requested. split: the champion's share first, then the
    requested version's, then the contenders'. The rest is a bandit's: see domain.contests.Contest.
    """

    contenders: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...], Field(max_length=_MOST_CONTENDERS), ListOf, AfterValidator(_numbers)
    ] = ()
    split: Annotated[tuple[Annotated[Share, Field(gt=0, lt=1)], ...], ListOf] = ()
    goal: GoalSpec = GoalSpec()
    allocation: Annotated[Allocation, BeforeValidator(_allocation)] | None = None
    floor: Annotated[Share, Field(gt=0, lt=1)] | None = None
    reweigh: Annotated[Seconds, AfterValidator(_reweigh)] | None = None

    @model_validator(mode="after")
    def _every_arm_has_a_share(self) -> Self:
        arms = 2 + len(self.contenders)
        if self.split and (len(self.split) != arms or abs(sum(self.split) - 1) > _ROUNDING):
            raise ValueError(
                f"`split` of {arms} shares that add up to 100% expected: champion, version, contenders in their order"
            )
        if self.floor is not None and self.floor * arms >= 1:
            raise ValueError(f"`floor` below 100%/{arms} expected: {arms} arms share all units")
        return self

    @property
    def of_a_bandit(self) -> tuple[str, ...]:
        """The keys found that only a bandit knows."""
        return tuple(name for name in ("allocation", "floor", "reweigh") if getattr(self, name) is not None)

    def contest(self) -> Contest:
        usual = Contest()
        return Contest(
            contenders=tuple(self.contenders),
            split=tuple(self.split),
            goal=self.goal.goal(),
            allocation=self.allocation or usual.allocation,
            floor=self.floor or usual.floor,
            reweigh=self.reweigh or usual.reweigh,
        )


def check_contest(strategy: Strategy, contest: ContestSpec, judge: JudgeSpec) -> None:
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
