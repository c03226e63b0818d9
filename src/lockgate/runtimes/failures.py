"""Whatever a library or a model raises becomes the one failure that the data plane knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lockgate.kernel.errors import LockgateError
from lockgate.runtimes.model import RuntimeFailure

_LONGEST = 300


@contextmanager
def failing_as_runtime(what: str | None = None, hint: str | None = None) -> Iterator[None]:
    """Our own errors pass; everything else becomes a RuntimeFailure that begins with `what` and says the error's first line.

    Raises:
        RuntimeFailure: something was raised inside.
    """
    try:
        yield
    except LockgateError:
        raise
    except Exception as error:
        # Libraries' errors share no base but Exception, and a model may raise anything: it is that model's failure.
        reason = first_line(error)
        raise RuntimeFailure(f"{what}: {reason}" if what else reason, hint=hint) from error


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:_LONGEST]
