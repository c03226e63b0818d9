"""Signed checkpoints tell what the chain of events alone cannot: that its end was cut off, or that all was hashed anew.

A checkpoint says of one event what its hash was, and so of all before it. It holds as long as its key is somewhere that whoever
can write the database cannot read; `docs/explanation/audit.md` says where that ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from lockgate.domain.events import Checkpoint
from lockgate.kernel.digest import canonical_json, digest_bytes
from lockgate.stages.decide.audit import Audit, Break

EVERY = 1_000  # events
AT_LEAST_EVERY = timedelta(days=1)  # while there are new events
_DOMAIN = b"lockgate audit checkpoint 1\n"  # so that the signature says nothing in any other place

Genuine = Callable[[Checkpoint], bool | None]
"""Is it signed by the key that it names? None where that key is not trusted, so that its word is nobody's."""


def is_due(last: Checkpoint | None, seq: int, now: datetime) -> bool:
    """Is it time for a checkpoint at `seq`, the last event? The first one is made with the first event."""
    if last is None:
        return seq > 0
    return seq - last.seq >= EVERY or (seq > last.seq and now - last.at >= AT_LEAST_EVERY)


def fingerprint(public_key: str) -> str:
    return digest_bytes(public_key.encode())


def statement(seq: int, event_hash: str, at: datetime, key: str) -> bytes:
    """What is signed."""
    return _DOMAIN + canonical_json({"seq": seq, "hash": event_hash, "at": at.isoformat(), "key": key})


def compared(audit: Audit, checkpoints: Iterable[Checkpoint], hash_at: Callable[[int], str], genuine: Genuine) -> Audit:
    """The walk's result, and what the checkpoints say to it. hash_at: of an event that the walk found whole."""
    signed = audit.signed
    for one in sorted(set(checkpoints), key=lambda one: one.seq):
        verdict = genuine(one)
        if verdict is None:
            signed = replace(signed, foreign=tuple(sorted({*signed.foreign, one.key})))
        elif found := _contradiction(one, audit, hash_at, signed.upto) if verdict else _forged(one):
            return replace(audit, broken=found, signed=signed)
        elif one.seq <= audit.events:
            signed = replace(signed, checkpoints=signed.checkpoints + 1, upto=one.seq)
    return replace(audit, signed=signed)


def _forged(one: Checkpoint) -> Break:
    return Break(one.seq, f"the checkpoint at event {one.seq} is not genuine: its signature is not by the key that it names")


def _contradiction(one: Checkpoint, audit: Audit, hash_at: Callable[[int], str], upto: int) -> Break | None:
    if one.seq > audit.events:
        return None if audit.broken else _cut(one, audit.events)
    found = hash_at(one.seq)
    if found == one.hash:
        return None
    return Break(
        one.seq,
        f"the log was hashed anew: event {one.seq} has {found}, {one.hash} was signed at {one.at.isoformat()}; "
        f"what is not what was recorded begins between events {upto + 1} and {one.seq}",
    )


def _cut(one: Checkpoint, events: int) -> Break:
    return Break(
        events + 1,
        f"the end of the log is missing: event {one.seq} was signed at {one.at.isoformat()}, the last one found is {events}",
    )
