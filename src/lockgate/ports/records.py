"""Where prediction records are read from: a sequence that grows, read in batches from where one stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from lockgate.boundary.records import Record

Cursor = Mapping[str, Any]  # JSON-able and small; what it holds is the source's own affair; {} is the beginning


class Batch(NamedTuple):
    records: tuple[Record, ...]
    cursor: Cursor  # what to read from next


class RecordSource(Protocol):
    def read(self, cursor: Cursor) -> Batch:
        """The next records behind `cursor`, of bounded number; none, and an equal cursor, if there are none yet.

        Reading twice from one cursor gives each of its records twice, in the same order, and perhaps more behind them: who keeps
        the cursor together with what came of the records counts each exactly once.
        """
        ...


class RecordSink(Protocol):
    def append(self, records: Sequence[Record]) -> int:
        """Keep them behind what was kept before, where a source finds them. How many there was room for."""
        ...
