"""Do the events that a page shows match their hashes? The whole chain is walked by `usecases.read_audit`."""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.domain.events import Event
from lockgate.stages.decide.audit import Break, altered


def first_altered(events: Iterable[Event]) -> Break | None:
    """The first of these events whose content is not what its hash covers; None if all are genuine."""
    return next((found for event in events if (found := altered(event))), None)
