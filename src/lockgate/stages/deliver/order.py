"""Environments in a row: when a version may go on to the next one, and what keeps the policy from sending it there."""

from __future__ import annotations

from datetime import datetime, timedelta

from lockgate.domain.projects import After
from lockgate.domain.rollouts import Shown
from lockgate.kernel.quantities import format_share

MOST_FAILED = 0.01  # of what was asked of a version in Staging: with more the policy leaves it to a person


def possible_at(after: After, since: datetime) -> datetime:
    """When a version that has stood there since then has had its time."""
    return since + timedelta(seconds=after.seconds)


def failed(shown: Shown) -> int:
    return sum(shown.failures.values())


def answered(shown: Shown) -> str:
    """`it answered 120 requests, 3 failed`, `nobody asked it anything`"""
    if not shown.requests:
        return "nobody asked it anything"
    return f"it answered {shown.requests} request{'s' * (shown.requests > 1)}, {failed(shown)} failed"


def withheld(shown: Shown) -> str | None:
    """Why the policy does not send it on, by what it answered to those who asked for it; None: nothing speaks against it."""
    if failed(shown) <= MOST_FAILED * shown.requests:
        return None
    return f"{answered(shown)}: at most {format_share(MOST_FAILED)} expected"
