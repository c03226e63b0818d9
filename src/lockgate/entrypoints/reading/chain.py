"""Is the audit log whole? Each event's hash must follow from its content and from the hash before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lockgate.domain.events import GENESIS, Event, chain_hash
from lockgate.ports.state import Reader

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Chain:
    """checked: how many events were looked at. broken_at: the first that does not follow from what stands before it, if any."""

    checked: int
    broken_at: int | None = None


def whole_chain(tx: Reader) -> Chain:
    """From the first event to the last."""
    checked, before = 0, GENESIS
    while batch := tx.events(after=checked, limit=_BATCH):
        for event in batch:
            if event.seq != checked + 1 or event.prev_hash != before or not genuine(event):
                return Chain(checked, event.seq)
            checked, before = event.seq, event.hash
    return Chain(checked)


def genuine_all(events: Iterable[Event]) -> Chain:
    """Events looked at one by one, as on a filtered page: their content, not their neighbours."""
    checked = 0
    for event in events:
        if not genuine(event):
            return Chain(checked, event.seq)
        checked += 1
    return Chain(checked)


def genuine(event: Event) -> bool:
    return event.hash == chain_hash(event.seq, event.happened, event.prev_hash)
