"""How long answers took, with bounds for as many looks as one likes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lockgate.boundary.histogram import bucket_of, lower_edge, quantile, upper_edge
from lockgate.stats.quantiles import quantile_ranks

LEVELS = (0.5, 0.99)


@dataclass(frozen=True, slots=True)
class Latency:
    """One quantile, in seconds. It lies between low and high at all times at once (95 %); high: None while nothing bounds it."""

    level: float
    point: float
    low: float
    high: float | None

    @property
    def says(self) -> str:
        """`12 ms (11–14)`, `0.42 ms (0.4 or more)`."""
        band = f"{_ms(self.low)} or more" if self.high is None else f"{_ms(self.low)}–{_ms(self.high)}"
        return f"{_ms(self.point)} ms ({band})"


def latencies(counts: Mapping[int, int]) -> tuple[Latency, ...]:
    """p50 and p99 of what a histogram (`boundary.histogram`) counted; none where there is nothing in it.

    Counts tell in which bucket the value of a rank is, and no more. So a band goes from the lower edge of the one bucket to the
    upper edge of the other: the values themselves lie between, and the bounds by ranks hold for them.
    """
    if not counts:
        return ()
    total = sum(counts.values())
    least, most = quantile_ranks(total, LEVELS)
    return tuple(_latency(counts, total, *each) for each in zip(LEVELS, least.tolist(), most.tolist(), strict=True))


def _latency(counts: Mapping[int, int], total: int, level: float, least: int, most: int) -> Latency:
    low = lower_edge(bucket_of(counts, least)) if least else 0.0
    high = upper_edge(bucket_of(counts, most)) if most <= total else None
    return Latency(level, quantile(counts, level), low, high)


def _ms(seconds: float) -> str:
    """Three digits: a bucket is 5 % wide."""
    value = 1e3 * seconds
    return f"{value:.0f}" if value >= 99.5 else f"{value:.3g}"  # noqa: PLR2004 - from there on three digits have no fraction
