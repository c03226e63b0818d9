"""What became of predictions, counted into the cells of an observation block: as the gateway's workers count theirs.

Cells are written as the JSON of `boundary.observations`, with nothing but the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lockgate.boundary import histogram
from lockgate.embedded.tallies import Tally

_FAILED = 1  # bit 0 of a unit's outcome; bit 1 + i: quantile i's threshold was exceeded


@dataclass(slots=True)
class _Open:
    """A cell that is being filled."""

    first_at: float
    last_at: float = 0.0
    completed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    latency: dict[int, int] = field(default_factory=dict)
    exceeded: list[int] = field(default_factory=list)
    units: list[tuple[int, int]] = field(default_factory=list)
    bins: list[int] = field(default_factory=list)
    scores: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Counting:
    """Not for two threads at once. size: predictions in the open cells."""

    size: int = 0
    _cells: dict[Tally, _Open] = field(default_factory=dict)

    def succeed(self, tally: Tally, key: int, seconds: float, at: float, score: float) -> None:
        """seconds: that the model took. at: Unix seconds. score: of the first row."""
        cell = self._cell(tally, at)
        _add(cell.latency, histogram.bucket(seconds))
        bits = 0
        for place, limit in enumerate(tally.limits):
            if seconds > limit:
                cell.exceeded[place] += 1
                bits |= 2 << place
        if tally.keyed:
            cell.units.append((key, bits))
        if tally.scored:
            if tally.bins_id:
                cell.bins[tally.place(score)] += 1
            else:
                _add(cell.scores, tally.place(score))

    def fail(self, tally: Tally, key: int, kind: str, at: float) -> None:
        cell = self._cell(tally, at)
        cell.failures[kind] = cell.failures.get(kind, 0) + 1
        if tally.keyed:
            cell.units.append((key, _FAILED))

    def take(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The cells of what was judged, and of what was not; then there are none."""
        cells, self._cells, self.size = self._cells, {}, 0
        told = [(tally, _told(tally, cell)) for tally, cell in cells.items()]
        return [cell for tally, cell in told if tally.judged], [cell for tally, cell in told if not tally.judged]

    def _cell(self, tally: Tally, at: float) -> _Open:
        cell = self._cells.get(tally)
        if cell is None:
            cell = self._cells[tally] = _Open(at)
            cell.exceeded = [0] * len(tally.limits)
            cell.bins = [0] * (len(tally.edges) + 1) if tally.bins_id else []
        cell.completed += 1
        cell.last_at = at
        self.size += 1
        return cell


def _add(counts: dict[int, int], place: int) -> None:
    counts[place] = counts.get(place, 0) + 1


def _told(tally: Tally, cell: _Open) -> dict[str, Any]:
    return {
        "model": tally.model,
        "version": tally.version,
        "revision": tally.revision,
        "completed": cell.completed,
        "failures": cell.failures,
        "latency": cell.latency,
        "thresholds_id": tally.thresholds_id,
        "exceeded": cell.exceeded,
        "units": cell.units,
        "first_at": cell.first_at,
        "last_at": cell.last_at,
        "segment": tally.segment,
        "bins_id": tally.bins_id,
        "bins": cell.bins,
        "scores": cell.scores,
    }
