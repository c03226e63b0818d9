"""The schema, derived from the kinds of nouns: a table for each, with the columns that it is found by and its body as JSON text.

`ordinal` is the order in which items were first added. The migrations say the same by hand; a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Identity, Index, Integer, MetaData, Table, Text, UniqueConstraint

from lockgate.ports import rows
from lockgate.ports.state import KINDS, Kind

# Of the schema, oldest first; the last is what this code reads and writes.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
VERSION_TABLE = "lockgate_schema"  # holds the revision; a name of its own, so that a database may be shared with others

NUMBER = BigInteger()
ORDINAL = BigInteger().with_variant(Integer, "sqlite")  # SQLite's own row numbers are INTEGER PRIMARY KEYs

metadata = MetaData()


def _collection(kind: Kind[Any]) -> Table:
    found_by = [Column(name, NUMBER if plain is int else Text, nullable=False) for name, plain in rows.column_types(kind).items()]
    return Table(
        kind.name,
        metadata,
        Column("ordinal", ORDINAL, Identity(), primary_key=True),
        *found_by,
        Column("body", Text, nullable=False),
        UniqueConstraint(*kind.key, name=f"uq_{kind.name}"),
        *(Index(f"ix_{kind.name}_{'_'.join(fields)}", *fields, "ordinal") for fields in _indexed(kind)),
    )


def _indexed(kind: Kind[Any]) -> list[tuple[str, ...]]:
    """What is looked up in order: the first part of a compound key, each further field, and all of these together."""
    found: list[tuple[str, ...]] = [kind.key[:1]] if len(kind.key) > 1 else []
    found += [(field,) for field in kind.asked]
    return [*found, kind.asked] if len(kind.asked) > 1 else found


COLLECTIONS = {kind.name: _collection(kind) for kind in KINDS}

# Every column but the two hashes is covered by the hash: there is no second copy of an event that could differ from it.
EVENTS = Table(
    "events",
    metadata,
    Column("seq", ORDINAL, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("authenticated", Boolean, nullable=False),
    Column("subject", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", NUMBER, nullable=False),
    Column("details", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("ix_events_subject", "subject", "seq"),
    Index("ix_events_model", "model", "seq"),
    Index("ix_events_action", "action", "seq"),
    Index("ix_events_actor", "actor", "seq"),
)
