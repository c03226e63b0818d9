"""What became of one assigned prediction, told to the reporter by the gateway's rules of what counts as whose failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.embedded.assignment import Assignment
from lockgate.embedded.failures import RuntimeFailure
from lockgate.embedded.reporter import Reporter
from lockgate.kernel.errors import InvalidInput, LockgateError

SIGNATURE, OUTPUT, TIMEOUT = "signature", "output", "timeout"  # kinds of failures beside those that runtimes name


def tell(
    reporter: Reporter,
    assigned: Assignment,
    outcome: Sequence[float] | LockgateError,
    seconds: float,
    columns: Mapping[str, Sequence[Any]],
    *,
    first: bool,
    timeout: float,
) -> tuple[str, ...]:
    """Ids for labels, one for each row; none of what failed. outcome: scores, or how the version failed. first: it was tried by
    the version that was assigned, and not by the champion in its place. timeout: seconds after which an answer is worth nothing.
    """
    tally = assigned.tally if first or assigned.aside is None else assigned.aside
    key, chosen = assigned.key, assigned.chosen or not first
    if isinstance(outcome, LockgateError):
        reporter.failed(tally, key, kind_of(outcome), columns, chosen=chosen)
        return ()
    if seconds > timeout:
        reporter.failed(tally, key, TIMEOUT, columns, chosen=chosen)
        return ()
    return reporter.answered(tally, key, seconds, outcome, columns, segment=assigned.place, chosen=chosen)


def kind_of(error: LockgateError) -> str:
    """What a failure is counted as."""
    if isinstance(error, RuntimeFailure):
        return error.kind
    return SIGNATURE if isinstance(error, InvalidInput) else OUTPUT


def listed(scores: Any) -> list[float]:
    """One score for each row, of a single row too."""
    return [float(scores)] if isinstance(scores, int | float) else [float(score) for score in scores]
