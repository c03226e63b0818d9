"""`@step(...)`: says of a pipeline step what its signature cannot say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def step(function: Function, /) -> Function: ...


@overload
def step(
    *, timeout: float | str = "1h", retries: int = 0, cache: bool = True, mutex: str | None = None
) -> Callable[[Function], Function]: ...


def step(
    function: Function | None = None,
    /,
    *,
    timeout: float | str = "1h",  # noqa: ARG001
    retries: int = 0,  # noqa: ARG001
    cache: bool = True,  # noqa: ARG001
    mutex: str | None = None,  # noqa: ARG001
) -> Function | Callable[[Function], Function]:
    """Mark a function of a pipeline. It is read from the source, without running it, so its arguments are written out literally.

    timeout: seconds, or a duration such as "30m", after which the step is killed. retries: how often a step that failed is
    tried again. cache: whether an earlier output may stand for the step. mutex: steps of a run with the same word never run
    at the same time.
    """
    return function if function is not None else (lambda decorated: decorated)
