"""Prediction records in memory."""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.boundary.records import Record
from lockgate.ports.records import Batch, Cursor


class MemoryRecords:
    """A record source that one appends to: it is its own sink."""

    def __init__(self, *, limit: int = 20_000) -> None:
        self._records: list[Record] = []
        self._limit = limit

    def append(self, records: Iterable[Record]) -> int:
        before = len(self._records)
        self._records.extend(records)
        return len(self._records) - before

    def read(self, cursor: Cursor) -> Batch:
        start = int(cursor.get("position", 0))
        records = tuple(self._records[start : start + self._limit])
        return Batch(records, {"position": start + len(records)} if records else cursor)
