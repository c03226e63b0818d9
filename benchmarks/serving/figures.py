"""From runs to figures: the median of the repetitions with their range, and how it stands to the limit and to the best peer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from benchmarks.serving.compare import Run
from benchmarks.serving.growth import Step
from benchmarks.serving.results import Results


class Spread(NamedTuple):
    middle: float
    low: float
    high: float


class Figure(NamedTuple):
    """Times in seconds, memory in bytes. to_bare: median of the ratios within each round. to_best: to the best peer's median."""

    contestant: str
    model: str
    connections: int
    rate: Spread
    p50: float
    p99: float
    processor: float
    memory: float
    failed: int
    to_bare: float | None
    to_best: float | None


class Growth(NamedTuple):
    """The medians of one size."""

    growing: str
    server: str
    form: str
    model: str
    size: int
    rows_rate: Spread
    p50: float
    processor: float
    memory: float
    failed: int


def figures(results: Results) -> list[Figure]:
    """In the order of models, connections and entrants."""
    grouped: dict[tuple[str, int], dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in results.runs:
        grouped[run.model, run.connections][run.contestant].append(run)
    peers = {one.name for one in results.entrants if one.peer}
    order = {one.name: place for place, one in enumerate(results.entrants)}
    models = list(results.models)
    found: list[Figure] = []
    for (model, connections), runs in sorted(grouped.items(), key=lambda item: (models.index(item[0][0]), item[0][1])):
        best = max((_rate(of) for name, of in runs.items() if name in peers), default=None)
        names = sorted(runs, key=lambda one: order[one])
        found += [_figure(name, model, connections, runs[name], runs.get("bare", []), best) for name in names]
    return found


def growths(steps: Iterable[Step]) -> list[Growth]:
    grouped: dict[tuple[str, str, str, str, int], list[Step]] = defaultdict(list)
    for step in steps:
        grouped[step.growing, step.server, step.form, step.model, step.size].append(step)
    return [
        Growth(
            *key,
            spread([one.rows_rate for one in of]),
            median(one.p50 for one in of),
            median(one.processor for one in of),
            median(one.memory for one in of),
            sum(one.failed for one in of),
        )
        for key, of in grouped.items()
    ]


def spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))


def _figure(name: str, model: str, connections: int, runs: list[Run], bare: list[Run], best: float | None) -> Figure:
    limits = {run.repetition: run.rate for run in bare}
    ratios = [run.rate / limits[run.repetition] for run in runs if run.repetition in limits]
    return Figure(
        name,
        model,
        connections,
        spread([run.rate for run in runs]),
        median(run.p50 for run in runs),
        median(run.p99 for run in runs),
        median(run.processor for run in runs),
        median(run.memory for run in runs),
        sum(run.failed for run in runs),
        median(ratios) if ratios else None,
        _rate(runs) / best if best else None,
    )


def _rate(runs: Iterable[Run]) -> float:
    return median(run.rate for run in runs)
