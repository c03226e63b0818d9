"""Parts of the traffic that may have a champion of their own, as people write them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from lockgate.domain.projects import Champions
from lockgate.domain.rollouts import Strategy
from lockgate.stages.deliver.judge_spec import MOST_SEGMENTS, JudgeSpec, checked_part, different, spelled
from lockgate.stages.fields import ListOf, Spec


class ChampionsSpec(Spec):
    """by: what tells a request's segment. segments: those that may have a champion, in the form of JSON and headers."""

    by: Annotated[str, AfterValidator(checked_part)]
    segments: Annotated[
        tuple[Annotated[str, BeforeValidator(spelled)], ...],
        Field(min_length=1, max_length=MOST_SEGMENTS),
        ListOf,
        AfterValidator(different),
    ]

    def champions(self) -> Champions:
        return Champions(self.by, self.segments)


def check_champions(strategy: Strategy, judge: JudgeSpec) -> None:
    """That requests are told apart in one way only, for a route has one kind of segments, and that one model learns from all.

    Raises:
        ValueError: what was found, and what is expected.
    """
    if strategy is Strategy.ONLINE:
        raise ValueError("strategy online knows no champions: all lessons of a model are learned by one, its champion")
    if judge.segments is not None:
        raise ValueError(
            "`champions` and `judge: segments` found, at most one of them expected: a rollout in a segment is judged by that"
            " segment alone, and what is left by no segment"
        )
