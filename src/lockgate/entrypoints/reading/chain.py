"""Do the events that a page shows match their hashes? The whole chain is walked by `usecases.read_audit`."""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.domain.events import Event, chain_hash
from lockgate.stages.decide.audit import Break


def first_altered(events: Iterable[Event]) -> Break | None:
    """The first of these events whose content is not what its hash covers; None if all are genuine."""
    for event in events:
        found = chain_hash(event.seq, event.happened, event.prev_hash)
        if event.hash != found:
            return Break(event.seq, f"event {event.seq} was altered: its content has {found}, {event.hash} was recorded")
    return None
