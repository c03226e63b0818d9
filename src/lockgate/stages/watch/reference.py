"""What the world looked like when the model was made: the distributions that drift is measured against, and how well it did then.

Learned once from the training features and the held-out scores, kept as an artifact beside the version: a few kilobytes of bins.
Numbers are binned at their deciles, as 32-bit floats, since that is what the model is given; a value that many rows share has a
bin of its own. Texts are counted by value, the frequent ones by name. What is missing has a bin of its own in both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.routes import LabelEvent
from lockgate.kernel.errors import Invalid
from lockgate.stats.drift import Counts, Spread, spread

FORMAT = "lockgate/reference/v1"
Column = NDArray[Any] | Sequence[Any]

_BINS = 10
_NAMED = 50  # texts that are counted by name; the rest is "other"
_FEWEST_RUNS = 10  # from which a spread is learned
_SHORTEST_RUN = 50  # rows
_LONGER = 2**0.5  # each length of runs is so many times the one before


class Runs(msgspec.Struct, frozen=True, array_like=True):
    """What runs of so many consecutive rows teach; see stats.drift.Spread. `count` is how many there were."""

    rows: int
    inflation: float
    concentration: float
    count: int


class Bins(msgspec.Struct, frozen=True):
    """How one column is counted. Either `edges` (numbers: bin i holds edges[i-1] ≤ x < edges[i]) or `values` (texts).

    counts: of the reference; for numbers one more than edges, for texts one for each value and one for all others; the last
        count is of what is missing.
    runs: how much runs of consecutive rows differ from each other, for several lengths, rising.
    """

    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    values: tuple[str, ...] | None = None
    runs: tuple[Runs, ...] = ()

    def place(self, column: Column) -> Counts:
        """The bin of each row, shape (rows,)."""
        if self.values is None:
            return _place_numbers(numbers(column), np.asarray(self.edges, dtype=np.float32))
        return _place_texts(column, self.values)

    def count(self, column: Column) -> Counts:
        return np.bincount(self.place(column), minlength=len(self.counts))


class Performance(msgspec.Struct, frozen=True):
    """How the version did on held-out examples. `events` of `labels` is the rate that production is compared with.

    runs: how much the event's rate differs between runs of consecutive examples, for several lengths, rising.
    """

    labels: int
    events: int = 0
    event: LabelEvent | None = None
    brier: float | None = None
    auc: float | None = None
    runs: tuple[Runs, ...] = ()

    @property
    def rate(self) -> float:
        return self.events / self.labels if self.labels else 0.0


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rows: int  # of training examples
    features: dict[str, Bins]
    scores: Bins
    performance: Performance
    format: str = FORMAT


def learn(
    columns: Mapping[str, Column],
    scores: Column,
    labels: Column,
    label_event: LabelEvent | None = None,
) -> Reference:
    """The reference of one version.

    `columns` are the training features, one-dimensional and of one length, **in the order in which the rows came about**: from
    how consecutive rows resemble each other is learned how much a window of production may differ by mere chance. Arrays of
    numbers or booleans are numeric; everything else is counted as text. `scores` and `labels` are those of the held-out
    examples, aligned, in such an order too.

    Raises:
        Invalid: columns of different lengths, or scores and labels that are not aligned.
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise Invalid(f"training features differ in length: {lengths}", hint="Pass columns of one data frame.")
    if len(scores) != len(labels):
        raise Invalid(f"{len(scores)} held-out scores and {len(labels)} labels found, as many of both expected")
    return Reference(
        rows=max(lengths.values(), default=0),
        features={name: _learn_bins(column) for name, column in columns.items() if np.ndim(column) == 1},
        scores=_learn_bins(np.asarray(scores, dtype=np.float32)),
        performance=_learn_performance(np.asarray(scores, np.float64), np.asarray(labels, np.float64), label_event),
    )


def encode(reference: Reference) -> bytes:
    return msgspec.msgpack.encode(reference)


def decode(content: bytes) -> Reference:
    """The reference in these bytes.

    Raises:
        Invalid: they are none that this version can read.
    """
    try:
        reference = msgspec.msgpack.decode(content, type=Reference)
    except msgspec.DecodeError as error:
        raise Invalid(f"no watch reference: {error}") from error
    if reference.format != FORMAT:
        raise Invalid(f"reference format {reference.format!r} found, {FORMAT!r} expected", hint="Upgrade lockgate.")
    return reference


def spread_of(runs: Sequence[Runs], rows: int) -> Spread:
    """How much windows of so many rows differ by mere chance: as the runs next in length did, whichever differed more.

    Beyond the longest runs it is taken to be the most that any length showed: right where rows that far apart do not resemble
    each other any more.
    """
    shorter, longer = [one for one in runs if one.rows <= rows], [one for one in runs if one.rows >= rows]
    near = [*shorter[-1:], *longer[:1]] if longer else shorter
    if not near:
        return Spread()
    most = max(near, key=lambda one: one.inflation)
    return Spread(most.inflation, most.concentration, most.count)


def area_under_curve(positives: NDArray[Any], negatives: NDArray[Any]) -> float | None:
    """AUC from how many positives and negatives there are at each score, in rising order of scores; None without one of both."""
    pairs = float(positives.sum()) * float(negatives.sum())
    if pairs == 0:
        return None
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / pairs)


def is_probability(scores: NDArray[Any], labels: NDArray[Any]) -> bool:
    """Whether scores are probabilities of labels that are 0 or 1: then Brier score and AUC have a meaning."""
    return len(scores) > 0 and bool(np.isin(labels, (0.0, 1.0)).all() and (scores >= 0).all() and (scores <= 1).all())


def numbers(column: Column) -> NDArray[np.float32]:
    """The column as 32-bit floats; what is no number is missing (NaN)."""
    with np.errstate(over="ignore"):  # what 32 bits cannot hold is infinite, for the model too
        try:
            return np.asarray(column, dtype=np.float32)
        except (TypeError, ValueError):
            return np.array([value if isinstance(value, int | float) else np.nan for value in column], dtype=np.float32)


def _learn_bins(column: Column) -> Bins:
    numeric = isinstance(column, np.ndarray) and column.dtype.kind in "biuf"
    bins = Bins((), edges=_edges(numbers(column))) if numeric else Bins((), values=_frequent(column))
    size = len(bins.edges) + 2 if bins.values is None else len(bins.values) + 2
    places = bins.place(column)
    return Bins(tuple(np.bincount(places, minlength=size).tolist()), bins.edges, bins.values, _learn_runs(places, size))


def _edges(values: NDArray[np.float32]) -> tuple[float, ...]:
    """Deciles; a value on which two of them fall holds a tenth of the rows or more and gets a bin of its own."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return ()
    deciles = np.quantile(known, np.arange(1, _BINS) / _BINS, method="inverted_cdf").astype(np.float32)
    ends = np.array([known.min(), known.max()], dtype=np.float32)
    edges, repeated = np.unique(np.concatenate([deciles, ends]), return_counts=True)
    heavy = edges[repeated > 1]
    # The extremes bound the bins of what training never saw: below the least value and above the greatest.
    with np.errstate(over="ignore"):
        behind = np.nextafter(np.concatenate([heavy, ends[1:]]), np.float32(np.inf))
    return tuple(np.unique(np.concatenate([edges, behind])).tolist())


def _frequent(column: Column) -> tuple[str, ...]:
    counted = Counter(str(value) for value in column if not _missing(value))
    return tuple(sorted(value for value, _ in counted.most_common(_NAMED)))


def _missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - NaN alone differs from itself


def _place_numbers(values: NDArray[np.float32], edges: NDArray[np.float32]) -> Counts:
    places = np.searchsorted(edges, values, side="right").astype(np.int64)
    places[np.isnan(values)] = len(edges) + 1
    return places


def _place_texts(column: Column, values: Sequence[str]) -> Counts:
    known: dict[Any, int] = {value: place for place, value in enumerate(values)}
    other, missing = len(values), len(values) + 1
    places = (missing if _missing(value) else known.get(str(value), other) for value in column)
    return np.fromiter(places, dtype=np.int64, count=len(column))


def _learn_runs(places: Counts, size: int) -> tuple[Runs, ...]:
    """From the shortest runs to the longest of which there are enough."""
    learned = []
    length = float(_SHORTEST_RUN)
    while (count := len(places) // int(length)) >= _FEWEST_RUNS:
        rows = int(length)
        cells = np.repeat(np.arange(count), rows) * size + places[: count * rows]
        inflation, concentration, _ = spread(np.bincount(cells, minlength=count * size).reshape(count, size))
        learned.append(Runs(rows, inflation, concentration, count))
        length *= _LONGER
    return tuple(learned)


def _learn_performance(
    scores: NDArray[np.float64],
    labels: NDArray[np.float64],
    event: LabelEvent | None,
) -> Performance:
    happened = [event.happened(*pair) if event else False for pair in zip(scores.tolist(), labels.tolist(), strict=True)]
    known = Performance(len(labels), sum(happened), event, runs=_learn_runs(np.asarray(happened, dtype=np.int64), 2))
    if (event and event.of_numbers) or not is_probability(scores, labels):
        return known
    _, place = np.unique(scores, return_inverse=True)
    positives, negatives = np.bincount(place, weights=labels), np.bincount(place, weights=1 - labels)
    brier = float(np.mean((scores - labels) ** 2))
    return msgspec.structs.replace(known, brier=brier, auc=area_under_curve(positives, negatives))
