"""What the answers of one arm look like in a block: how many fell into which bucket, and how many above each threshold.

The histogram's buckets are cut at the arm's thresholds, so that one draw gives both without contradiction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.observations import FAILED
from lockgate.domain.evidence import ArmObservation
from lockgate.stages.deliver.rehearsal.scenarios import Fault
from lockgate.stages.deliver.rehearsal.traffic import Floats, Latency, off_scale, on_scale

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """The latency scale in pieces. shares: of answers in each. buckets: each one's bucket. above: (quantiles, pieces), whether a
    piece lies above the arm's threshold; no rows while there are no thresholds.
    """

    shares: Floats
    buckets: Integers
    above: NDArray[np.bool_]

    @property
    def bits(self) -> Integers:
        """For each piece what a unit's record says of it (see boundary.observations)."""
        places = FAILED << np.arange(1, len(self.above) + 1)
        return np.asarray((self.above * places[:, None]).sum(axis=0), dtype=np.int64)


def pieces(latency: Latency, fault: Fault, thresholds: tuple[float, ...]) -> Pieces:
    """thresholds: of the arm, in seconds; none while they are not set."""
    low, high = latency.range
    ends = off_scale(np.array([low, high + 1.0])) * fault.latency_ratio
    latest = ends[1] + fault.late_by * bool(fault.late_share)
    first = int(on_scale(ends[0]))
    last = max(int(np.ceil(on_scale(latest))), first + 1)
    limits = on_scale(np.asarray(thresholds, float))
    edges = np.union1d(np.arange(first, last + 1), limits[(limits > first) & (limits < last)])
    below = _below(latency, fault, off_scale(edges))
    below[0], below[-1] = 0.0, 1.0  # as in every histogram: what is quicker than the scale is in its lowest bucket
    middles = (edges[:-1] + edges[1:]) / 2
    return Pieces(np.diff(below), np.floor(middles).astype(np.int64), middles > limits[:, None])


def _below(latency: Latency, fault: Fault, seconds: Floats) -> Floats:
    usual = latency.below(seconds / fault.latency_ratio)
    if not fault.late_share:
        return usual
    late = latency.below((seconds - fault.late_by) / fault.latency_ratio)
    return np.asarray((1 - fault.late_share) * usual + fault.late_share * late)


def arm(
    counts: Integers, of: Pieces, failed: int, units: tuple[tuple[int, int], ...] = (), labels: tuple[tuple[int, int], ...] = ()
) -> ArmObservation:
    """counts: answers in each piece."""
    completed = int(counts.sum())
    timed = completed if len(of.above) else 0
    exceeded = tuple(int(number) for number in of.above @ counts) if timed else ()
    seen = np.flatnonzero(counts)
    latency: dict[int, int] = {}
    for bucket, number in zip(of.buckets[seen].tolist(), counts[seen].tolist(), strict=True):
        latency[bucket] = latency.get(bucket, 0) + number
    return ArmObservation(completed, failed, timed, exceeded, latency, units, labels)
