"""Prediction records as JSON (boundary.records.Record), written when the prediction is made: its program may change the values
afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from lockgate.embedded.tallies import Tally

MOST_BYTES = 256 * 1024  # of all records in one report
MOST_ROWS = 1_000  # of a prediction that is recorded


@dataclass(slots=True)
class Lines:
    kept: list[str] = field(default_factory=list)
    size: int = 0
    dropped: int = 0

    def add(self, one: str | None) -> bool:
        """False if there was no room, or nothing to keep."""
        if one is None or self.size + len(one) > MOST_BYTES:
            self.dropped += 1
            return False
        self.kept.append(one)
        self.size += len(one)
        return True


def line(
    tally: Tally,
    revision: tuple[int, int],
    ids: Sequence[str],
    at: float,
    columns: Mapping[str, Sequence[Any]],
    scores: Sequence[float],
    failure: str | None,
) -> str | None:
    """None if it is too long, or holds what JSON cannot. at: Unix seconds."""
    if len(scores) > MOST_ROWS or any(len(values) > MOST_ROWS for values in columns.values()):
        return None
    try:
        inputs = {name: None if name in tally.redacted else _plain(values) for name, values in columns.items()}
        told = [float(score) for score in scores]
        return json.dumps([ids, tally.model, tally.version, revision, at, inputs, told, failure, None, False], allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None


def _plain(values: Any) -> list[Any]:
    """As a list. What is no number is missing, as it is where no value was sent."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    return [None if isinstance(value, float) and not isfinite(value) else value for value in values]
