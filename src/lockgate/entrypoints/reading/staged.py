"""What stands in Staging, since when, what it answered there, and when it may go on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lockgate.domain.environments import PRODUCTION, STAGING
from lockgate.entrypoints.reading.words import moment
from lockgate.ports.state import Reader
from lockgate.stages.deliver.order import answered, failed, possible_at
from lockgate.usecases.find_staged import brought_in
from lockgate.usecases.find_things import environment_of
from lockgate.usecases.start_rollout import standing_in


@dataclass(frozen=True, slots=True)
class Staged:
    """possible_at: from when on it may be asked into Production; None where environments do not stand in a row.

    requests, failures: of callers who asked for it by its number or by a rule, since it came there; says: the same in words.
    """

    version: int
    since: datetime
    possible_at: datetime | None
    requests: int
    failures: int
    says: str


def staged_in(tx: Reader, model: str) -> Staged | None:
    """None if nothing stands there."""
    version = standing_in(tx, model, STAGING)
    came = brought_in(tx, version, STAGING) if version else None
    if version is None or came is None or came.ended_at is None:
        return None
    after = environment_of(tx, model, PRODUCTION).after
    possible = possible_at(after, came.ended_at) if after else None
    shown = came.shown
    return Staged(version.version, came.ended_at, possible, shown.requests, failed(shown), answered(shown))


def staged_clause(staged: Staged) -> str:
    """`version 3 is in Staging since 2026-01-05 09:00:00 UTC, Production possible at 2026-01-05 10:00:00 UTC; nobody asked …`"""
    onward = f", Production possible at {moment(staged.possible_at)}" if staged.possible_at else ""
    return f"version {staged.version} is in Staging since {moment(staged.since)}{onward}; {staged.says}"
