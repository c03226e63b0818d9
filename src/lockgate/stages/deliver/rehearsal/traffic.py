"""What a rehearsal assumes of a model's traffic: how much, how often it fails, how long it takes, who asks, when labels come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from lockgate.boundary.histogram import FLOOR, GROWTH, bucket

Floats: TypeAlias = NDArray[np.float64]

_P99 = 2.3263478740408408  # standard deviations
_FARTHEST = 5.0  # standard deviations that the log-normal is drawn to
_FINE = 1_000_000  # the log-normal as counts of so many answers


def on_scale(seconds: ArrayLike) -> Floats:
    """Where a latency lies on the histogram's scale: bucket i is [i, i + 1)."""
    return np.asarray(np.log(np.maximum(np.asarray(seconds, float), FLOOR) / FLOOR) / log(GROWTH))


def off_scale(place: ArrayLike) -> Floats:
    """Seconds."""
    return np.asarray(FLOOR * GROWTH ** np.asarray(place, float))


@dataclass(frozen=True)
class Latency:
    """How long answers take: `counts` as of a boundary.histogram, spread evenly (on its logarithmic scale) within each bucket."""

    counts: Mapping[int, int]

    @classmethod
    def lognormal(cls, median: float, p99: float) -> Latency:
        """A log-normal distribution by its median and 99 % quantile in seconds."""
        deviation = log(p99 / median) / _P99
        low, high = (bucket(median * np.exp(sign * _FARTHEST * deviation)) for sign in (-1, 1))
        edges = np.log(off_scale(np.arange(low, high + 2)) / median) / deviation
        counts = [round(_FINE * share) for share in np.diff(ndtr(edges)).tolist()]
        return cls({low + i: count for i, count in enumerate(counts) if count})

    def below(self, seconds: Floats) -> Floats:
        """The share of answers that take at most so long."""
        edges, shares = self._cumulative
        return np.where(seconds > 0, np.interp(on_scale(seconds), edges, shares), 0.0)

    @property
    def range(self) -> tuple[int, int]:
        """The lowest and the highest bucket."""
        return min(self.counts), max(self.counts)

    def quantile(self, q: float) -> float:
        """Seconds."""
        edges, shares = self._cumulative
        return float(off_scale(np.interp(q, shares, edges)))

    @cached_property
    def _cumulative(self) -> tuple[Floats, Floats]:
        low, high = self.range
        counts = np.array([self.counts.get(index, 0) for index in range(low, high + 1)], float)
        return np.arange(low, high + 2, dtype=float), np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])


@dataclass(frozen=True, slots=True)
class Labels:
    """event_rate: of the judged event among labelled answers. delay: seconds from answer to label. coverage: answers labelled."""

    event_rate: float
    delay: float
    coverage: float = 1.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """A model's traffic, which is the same all day.

    requests_per_second: on average; they come at random times. errors: the champion's rate of failures; a shadow's, if nothing
    is wrong with it. activity: where units are sticky, how often each of them asks, relative to the others. hours: how long it is
    looked at. differing: the share of answers in which a shadow that is as good differs from the champion.
    """

    requests_per_second: float
    errors: float
    latency: Latency
    labels: Labels | None = None
    activity: tuple[float, ...] = ()
    hours: float = 24.0
    differing: float | None = None

    @property
    def seconds(self) -> float:
        return 3600.0 * self.hours

    def figures(self) -> dict[str, Any]:
        """For people and machines."""
        return {
            "requests_per_second": self.requests_per_second,
            "hours": self.hours,
            "errors": self.errors,
            "latency_p50": self.latency.quantile(0.5),
            "latency_p99": self.latency.quantile(0.99),
            "units": len(self.activity) or None,
            "label_event_rate": self.labels.event_rate if self.labels else None,
            "label_delay": self.labels.delay if self.labels else None,
            "label_coverage": self.labels.coverage if self.labels else None,
            "differing": self.differing,
        }


def uneven(units: int) -> tuple[float, ...]:
    """So many units, of whom few ask often and most seldom: the k-th asks in proportion to k^-0.8 (a Zipf-like law)."""
    return tuple((np.arange(1, units + 1) ** -0.8).tolist())
