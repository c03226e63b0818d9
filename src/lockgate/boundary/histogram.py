"""A histogram of latencies on a logarithmic scale: mergeable by adding, any number of values in constant space.

Values are seconds; bucket i holds [1 µs · g^i, 1 µs · g^(i+1)) with g = 1.05, everything under a microsecond is in bucket 0.
A quantile is answered as its bucket's upper edge: at most 5 % above the truth, never below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, log

GROWTH = 1.05
FLOOR = 1e-6
_SCALE = 1.0 / log(GROWTH)


def bucket(seconds: float) -> int:
    return int(log(seconds / FLOOR) * _SCALE) if seconds > FLOOR else 0


def upper_edge(index: int) -> float:
    return float(FLOOR * GROWTH ** (index + 1))


def lower_edge(index: int) -> float:
    return float(FLOOR * GROWTH**index) if index else 0.0


def merge(into: dict[int, int], other: Mapping[int, int]) -> None:
    for index, count in other.items():
        into[index] = into.get(index, 0) + count


def quantile(counts: Mapping[int, int], q: float) -> float:
    """The q-quantile in seconds.

    Raises:
        ValueError: there are no values.
    """
    total = sum(counts.values())
    if total == 0:
        raise ValueError("an empty histogram has no quantiles")
    return upper_edge(bucket_of(counts, max(1, ceil(q * total))))


def bucket_of(counts: Mapping[int, int], rank: int) -> int:
    """In which bucket the value of this rank is, of 1 (the smallest) to the number of values.

    Raises:
        ValueError: there is no value of that rank.
    """
    seen = 0
    for index in sorted(counts) if rank > 0 else ():
        seen += counts[index]
        if seen >= rank:
            return index
    raise ValueError(f"a rank of 1 to {sum(counts.values())} expected, the number of values; found {rank}")
