"""Is the audit log whole? Its events are hash-chained, so what was altered, removed or put in between can be named.

The chain cannot tell that events are missing at its end: whoever must know keeps the `head` of an earlier audit elsewhere and
looks for it in a later one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lockgate.domain.events import GENESIS, Event, chain_hash
from lockgate.kernel.errors import Corrupt

PAGE = 2_000  # events at a time

Pages = Callable[[int, int], Sequence[Event]]
"""(after, limit) → at most `limit` events with a higher seq than `after`, in their order; Corrupt where one cannot be read."""


@dataclass(frozen=True, slots=True)
class Break:
    """The first event that is not what was recorded."""

    seq: int
    found: str


@dataclass(frozen=True, slots=True)
class Audit:
    """How many events are whole, from the first on; the hash of the last of them; and what comes next, if that is broken."""

    events: int
    head: str
    broken: Break | None = None


def verify(pages: Pages) -> Audit:
    """Walk the whole chain up to its first break. About 10 µs an event."""
    audit = Audit(0, GENESIS)
    while audit.broken is None and (page := _readable(pages, audit.events)):
        audit = _continue(audit, page)
    return audit


def _readable(pages: Pages, after: int) -> Sequence[Event | Break]:
    """The next page; where an event in it cannot be read, the next event alone, or that it is the one."""
    try:
        return pages(after, PAGE)
    except Corrupt:
        try:
            return pages(after, 1)
        except Corrupt as error:
            return [Break(after + 1, error.message)]


def _continue(audit: Audit, page: Sequence[Event | Break]) -> Audit:
    events, head = audit.events, audit.head
    for event in page:
        if isinstance(event, Break):
            return Audit(events, head, event)
        if broken := _fault(event, events + 1, head):
            return Audit(events, head, broken)
        events, head = event.seq, event.hash
    return Audit(events, head)


def _fault(event: Event, expected_seq: int, prev_hash: str) -> Break | None:
    if event.seq != expected_seq:
        return Break(expected_seq, f"event {expected_seq} is missing: event {event.seq} follows on {expected_seq - 1}")
    if event.prev_hash != prev_hash:
        return Break(
            event.seq, f"event {event.seq} does not follow on the one before it: {prev_hash} expected, {event.prev_hash} found"
        )
    return altered(event)


def altered(event: Event) -> Break | None:
    """Is the event's content still what its hash covers?"""
    found = chain_hash(event.seq, event.happened, event.prev_hash)
    if event.hash == found:
        return None
    return Break(event.seq, f"event {event.seq} was altered: its content has {found}, {event.hash} was recorded")
