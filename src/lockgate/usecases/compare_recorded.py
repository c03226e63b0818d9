"""What a candidate learned from, beside what production was asked: the newest recorded inputs, in the training data's bins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lockgate.boundary.records import Record
from lockgate.domain.packages import Packaged
from lockgate.domain.verdicts import GateResult
from lockgate.ports.records import Cursor, RecordSource
from lockgate.stages.decide.gates.skew import Sides, judge_skew
from lockgate.stages.decide.skew_spec import SkewSpec
from lockgate.stages.watch.reference import Bins, decode, spread_of

MOST_ROWS = 20_000  # the newest ones: what was asked long ago is another world


def compare_recorded(records: RecordSource | None, spec: SkewSpec, model: str, packaged: Packaged) -> tuple[GateResult, ...]:
    """The verdict on training-serving skew. Requests that somebody got an answer to count, whichever version gave it.

    Raises:
        Invalid: the candidate's reference cannot be read.
    """
    reference = decode(packaged.reference)
    kept = _newest(records, model) if records is not None else []
    features = {name: _sides(bins, name, kept) for name, bins in reference.features.items()}
    return judge_skew(spec, features, sum(map(_rows, kept)))


def _newest(records: RecordSource, model: str) -> list[Record]:
    """In the order of their time; no more than `MOST_ROWS` rows, but for the last of them."""
    kept: list[Record] = []
    for batch in _batches(records):
        mine = (one for one in batch if one.model == model and one.answered)
        kept = _last(sorted([*kept, *mine], key=lambda one: one.answered_at))
    return kept


def _batches(records: RecordSource) -> Iterator[Sequence[Record]]:
    cursor: Cursor = {}
    while (batch := records.read(cursor)).records:
        yield batch.records
        cursor = batch.cursor


def _last(records: list[Record]) -> list[Record]:
    rows = 0
    for place in range(len(records) - 1, -1, -1):
        rows += _rows(records[place])
        if rows >= MOST_ROWS:
            return records[place:]
    return records


def _rows(record: Record) -> int:
    return len(record.prediction_ids)


def _sides(bins: Bins, name: str, kept: list[Record]) -> Sides:
    values = [value for record in kept for value in _column(record, name)]
    trained = np.asarray(bins.counts, dtype=np.int64)
    recorded = bins.count(values) if values else np.zeros_like(trained)
    return Sides(trained, recorded, spread_of(bins.runs, max(len(values), 1)).inflation)


def _column(record: Record, name: str) -> Sequence[Any]:
    """Nothing where the record does not have it, because it is new or redacted, or not one value for each row."""
    values = record.inputs.get(name) or ()
    return values if len(values) == _rows(record) else ()
