"""Environments in a row, as people write them: `after: staging`, or `after: {environment: staging, for: 1h}`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from lockgate.domain.projects import After
from lockgate.kernel.quantities import format_duration
from lockgate.stages.fields import Seconds, Spec

_LONGEST = 28 * 86400.0  # seconds


def _for(value: float) -> float:
    if not 0 <= value <= _LONGEST:
        raise ValueError(f"at most {format_duration(_LONGEST)} expected; without it the version need only stand there")
    return value


class AfterSpec(Spec):
    """seconds: for how long it must have stood there."""

    environment: Literal["staging"]
    seconds: Annotated[Seconds, AfterValidator(_for), Field(alias="for")] = 0.0

    def after(self) -> After:
        return After(self.environment, self.seconds)


def spelled_out(value: Any) -> Any:
    """An environment alone is one without a time."""
    return {"environment": value} if isinstance(value, str) else value
