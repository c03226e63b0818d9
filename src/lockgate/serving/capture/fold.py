"""Entries of the book into the cells of a block: all of one tally at once, because a block may hold ten thousands of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary import histogram
from lockgate.boundary.observations import DISAGREED as DISAGREED_BIT
from lockgate.boundary.observations import FAILED as FAILED_BIT
from lockgate.boundary.observations import Block, Cell, UnitOutcome
from lockgate.serving.capture.book import AGREED, DISAGREED, FAILED, KINDS, UNPAIRED, Entries
from lockgate.serving.capture.tally import Tally

_SCALE = 1.0 / log(histogram.GROWTH)
_LARGEST = 1e100
_ABORTED = KINDS.index("aborted")


class Seen(NamedTuple):
    """What was seen of one tally."""

    tally: Tally
    cell: Cell


def fold(entries: Entries, tallies: Mapping[int, Tally]) -> list[Seen]:
    """One cell for each tally, in the order in which the tallies first stand there; entries in the order of completion.

    A shadow runs in another process: what a worker had asked it when the worker itself died is no failure of the shadow's.
    """
    shadows = [number for number, tally in tallies.items() if tally.shadow]
    if shadows:
        unasked = (entries["state"] == FAILED) & (entries["kind"] == _ABORTED) & np.isin(entries["tally"], shadows)
        entries = entries[~unasked]
    numbers, first = np.unique(entries["tally"], return_index=True)
    in_order = numbers[np.argsort(first)].tolist()
    return [Seen(tallies[number], _cell(tallies[number], entries[entries["tally"] == number])) for number in in_order]


def block(
    identity: tuple[str, str, int], opened_at: float, closed_at: float, seen: Sequence[Seen], counts: Mapping[str, int]
) -> Block:
    """The block of what was seen, without its labels. identity: worker, incarnation, sequence."""
    worker, incarnation, sequence = identity
    return Block(
        worker,
        incarnation,
        sequence,
        opened_at,
        closed_at,
        cells=tuple(one.cell for one in seen if one.tally.judged),
        aside=tuple(one.cell for one in seen if not one.tally.judged),
        records_logged=counts.get("records_logged", 0),
        records_dropped=counts.get("records_dropped", 0),
        records_lost=counts.get("records_lost", 0),
        rejected=counts.get("rejected", 0),
        shed=counts.get("shed", 0),
        unassigned=counts.get("unassigned", 0),
        requests_lost=counts.get("requests_lost", 0),
    )


def _cell(tally: Tally, entries: Entries) -> Cell:
    failed = entries["state"] == FAILED
    seconds = entries["seconds"][~failed]
    exceeded = [seconds > limit for limit in tally.limits]
    paired = entries["pairing"] != UNPAIRED
    scores = entries["score"][~failed]
    return Cell(
        model=tally.model,
        version=tally.version,
        revision=tally.revision,
        completed=len(entries),
        failures={KINDS[kind]: count for kind, count in _counted(entries["kind"][failed]).items()},
        latency=_counted(buckets(seconds)),
        thresholds_id=tally.thresholds_id,
        exceeded=tuple(int(np.count_nonzero(above)) for above in exceeded),
        units=_units(entries, failed, exceeded) if tally.keyed else (),
        first_at=float(entries["at"][0]),
        last_at=float(entries["at"][-1]),
        shadow=tally.shadow,
        agreed=int(np.count_nonzero(entries["pairing"] == AGREED)),
        disagreed=int(np.count_nonzero(entries["pairing"] == DISAGREED)),
        deltas=_counted(buckets(entries["delta"][paired].astype(np.float64))),
        segment=tally.segment,
        bins_id=tally.bins.id if tally.bins else 0,
        bins=tuple(np.bincount(scores, minlength=len(tally.bins.edges) + 1).tolist()) if tally.bins else (),
        scores=_counted(scores) if tally.scored and not tally.bins else {},
    )


def _units(entries: Entries, failed: NDArray[np.bool_], exceeded: list[NDArray[np.bool_]]) -> tuple[UnitOutcome, ...]:
    bits = np.where(failed, FAILED_BIT, 0)
    bits[entries["pairing"] == DISAGREED] |= DISAGREED_BIT
    for quantile, above in enumerate(exceeded):
        bits[~failed] |= above.astype(np.int64) << (quantile + 1)
    return tuple(map(UnitOutcome, entries["key"].tolist(), bits.tolist()))


def buckets(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """`histogram.bucket` of each."""
    bounded = np.clip(np.nan_to_num(values), histogram.FLOOR, _LARGEST)
    return (np.log(bounded / histogram.FLOOR) * _SCALE).astype(np.int64)


def _counted(values: NDArray[Any]) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
