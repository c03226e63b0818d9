"""Is the audit log whole? Its events are hash-chained, so what was altered, removed or put in between can be named.

The chain alone cannot tell that events are missing at its end, nor that somebody hashed all of it anew: `checkpoints` can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lockgate.domain.events import GENESIS, Event, Written, chain_hash, written_hash
from lockgate.kernel.errors import Corrupt

PAGE = 2_000  # events at a time

Pages = Callable[[int, int], Sequence[Written]]
"""(after, limit) → at most `limit` events with a higher seq than `after`, in their order; Corrupt where one cannot be read."""


@dataclass(frozen=True, slots=True)
class Break:
    """The first event that is not what was recorded."""

    seq: int
    found: str


@dataclass(frozen=True, slots=True)
class Signed:
    """How many checkpoints by trusted keys agree, the event of the last of them, and the keys of those that are not trusted."""

    checkpoints: int = 0
    upto: int = 0
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit:
    """How many events are whole, from the first on; the hash of the last of them; and what comes next, if that is broken."""

    events: int
    head: str
    broken: Break | None = None
    signed: Signed = Signed()


BEGINNING = Audit(0, GENESIS)


def verify(pages: Pages, known: Audit = BEGINNING, told: Callable[[int], object] = lambda _: None) -> Audit:
    """Walk the chain from behind what is `known` to be whole up to its first break. told: how many events are whole so far."""
    audit = known
    while audit.broken is None and (page := _readable(pages, audit.events)):
        audit = _continue(audit, page)
        told(audit.events)
    return audit


def _readable(pages: Pages, after: int) -> Sequence[Written | Break]:
    """The next page; where an event in it cannot be read, the next event alone, or that it is the one."""
    try:
        return pages(after, PAGE)
    except Corrupt:
        try:
            return pages(after, 1)
        except Corrupt as error:
            return [Break(after + 1, error.message)]


def _continue(audit: Audit, page: Sequence[Written | Break]) -> Audit:
    events, head = audit.events, audit.head
    for row in page:
        if isinstance(row, Break):
            return Audit(events, head, row)
        if broken := _fault(row, events + 1, head):
            return Audit(events, head, broken)
        events, head = row[0], row[10]
    return Audit(events, head)


def _fault(row: Written, expected_seq: int, prev_hash: str) -> Break | None:
    seq, its_prev_hash, its_hash = row[0], row[9], row[10]
    if seq != expected_seq:
        return Break(expected_seq, f"event {expected_seq} is missing: event {seq} follows on {expected_seq - 1}")
    if its_prev_hash != prev_hash:
        return Break(seq, f"event {seq} does not follow on the one before it: {prev_hash} expected, {its_prev_hash} found")
    try:
        found = written_hash(row)
    except Corrupt as error:
        return Break(seq, error.message)
    return None if its_hash == found else _altered(seq, found, its_hash)


def altered(event: Event) -> Break | None:
    """Is the event's content still what its hash covers?"""
    found = chain_hash(event.seq, event.happened, event.prev_hash)
    return None if event.hash == found else _altered(event.seq, found, event.hash)


def _altered(seq: int, found: str, recorded: str) -> Break:
    return Break(seq, f"event {seq} was altered: its content has {found}, {recorded} was recorded")
