"""The audit log page by page, newest first: from event to event, so that the last page costs what the first one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockgate.domain.events import Event
from lockgate.ports.state import Reader
from lockgate.usecases.find_events import Sought, find_events


@dataclass(frozen=True, slots=True)
class LogPage:
    """older: ask for what is before this event. newer: for what is after that one. None where there is nothing more."""

    events: Sequence[Event]
    newer: int | None
    older: int | None


def log_page(tx: Reader, sought: Sought, *, before: int | None, after: int | None, size: int) -> LogPage:
    """The newest, or those next to `before` or `after`."""
    if after is not None:
        found = find_events(tx, sought, after=after, limit=size + 1)
        shown = found[:size][::-1]
        return LogPage(shown, shown[0].seq if len(found) > size else None, shown[-1].seq if shown else None)
    found = find_events(tx, sought, before=before, limit=size + 1, newest_first=True)
    shown = found[:size]
    newer = shown[0].seq if before is not None and shown else None
    return LogPage(shown, newer, shown[-1].seq if len(found) > size else None)
