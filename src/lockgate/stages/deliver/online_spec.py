"""Online learning as people write it: how often a checkpoint is made, and when the stream of lessons is not believed any more."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from lockgate.domain.learning import Online
from lockgate.kernel.quantities import format_share
from lockgate.stages.deliver.judge_spec import JudgeSpec
from lockgate.stages.deliver.label_wait import BY_LABELS
from lockgate.stages.fields import Number, Share, Spec

_USUAL = Online()
_FEWEST, _MOST = 10, 1_000_000  # rows of a checkpoint
_SHORTEST = 1000.0  # rows: an alarm that comes without reason more often is soon not listened to
_NOT_SAID = 0.0


def _said(value: Any) -> Any:
    if value == _NOT_SAID:
        raise ValueError(
            "a share expected, such as 35%: the rate of the judged event above which lessons are not believed any more. There is"
            " no usual one, because it lies above the model's own rate; without it nothing would stop a poisoned stream"
        )
    return value


def _at_most(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"above 0% and below 100% expected, {format_share(value)} found: every stream exceeds it, or none")
    return value


class OnlineSpec(Spec):
    """How a model learns while it serves; see domain.learning.Online."""

    every: Annotated[int, Field(ge=_FEWEST, le=_MOST)] = _USUAL.every
    at_most: Annotated[Share, AfterValidator(_at_most), BeforeValidator(_said), Field(validate_default=True)] = _NOT_SAID
    run_length: Annotated[Number, Field(ge=_SHORTEST)] = _USUAL.run_length

    def online(self) -> Online:
        return Online(self.every, self.at_most, self.run_length)


def check_online(online: OnlineSpec | None, judge: JudgeSpec, unit: str) -> None:
    """That all is said which online learning needs, and nothing that it does not know.

    Raises:
        ValueError: what was found, and what is expected.
    """
    if online is None:
        raise ValueError("strategy online: `online: {every: 1000, at_most: 35%}` expected; at_most stops a poisoned stream")
    if judge.labels is None:
        raise ValueError(
            "strategy online: `judge: {labels: {event: wrong, threshold: 0.5}}` expected, which says by which event lessons,"
            " and where no loss is named checkpoints, are judged"
        )
    if unknown := [metric for metric in judge.online().metrics if metric not in BY_LABELS]:
        raise ValueError(
            f"strategy online: metrics of labels, loss expected, {unknown[0]} found; a checkpoint is judged by rows with their"
            " truth"
        )
    if judge.objectives or judge.segments or judge.predictions:
        raise ValueError("strategy online knows no objectives, segments or predictions: strategy canary expected, or none")
    if unit != "request":
        raise ValueError(f"unit {unit} found, request expected: under strategy online each row is a unit of its own")
