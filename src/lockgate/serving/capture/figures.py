"""What `/metrics` shows: totals of this worker since its place was first filled, added up with those of the other places.

Each worker leaves its totals in a small file every time it closes a block; whoever is asked adds the files up. A worker that
takes a dead one's place goes on from its file, so a counter never falls because a process died; the last 200 ms may be missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from lockgate.boundary import histogram
from lockgate.serving.capture.tally import Tally

EDGES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds
_SUFFIX = ".figures"


class VersionFigures(msgspec.Struct):
    completed: int = 0
    failures: dict[str, int] = {}
    latency: dict[int, int] = {}


class Figures(msgspec.Struct):
    versions: dict[str, dict[int, VersionFigures]] = {}
    totals: dict[str, int] = {}

    def count(self, name: str, number: int = 1) -> None:
        self.totals[name] = self.totals.get(name, 0) + number

    def add_tally(self, tally: Tally) -> None:
        figures = VersionFigures(tally.completed, tally.failures, tally.latency)
        self._add_version(tally.model, tally.version, figures)

    def add(self, other: Figures) -> None:
        for name, number in other.totals.items():
            self.count(name, number)
        for model, versions in other.versions.items():
            for version, figures in versions.items():
                self._add_version(model, version, figures)

    def _add_version(self, model: str, version: int, more: VersionFigures) -> None:
        mine = self.versions.setdefault(model, {}).setdefault(version, VersionFigures())
        mine.completed += more.completed
        histogram.merge(mine.latency, more.latency)
        for kind, number in more.failures.items():
            mine.failures[kind] = mine.failures.get(kind, 0) + number


_decoder = msgspec.msgpack.Decoder(Figures)


class FigureFiles:
    """One file for each worker's place; the supervisor clears the folder when it starts."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._folder = folder
        self._own = folder / f"{worker}{_SUFFIX}"
        self._folder.mkdir(parents=True, exist_ok=True)

    def resume(self) -> Figures:
        return next(_readable([self._own]), Figures())

    def save(self, content: bytes) -> None:
        draft = self._own.with_suffix(f".{os.getpid()}")
        draft.write_bytes(content)
        draft.replace(self._own)

    def together(self, own: Figures) -> Figures:
        """The sum over all places, this worker's as it stands now."""
        total = Figures()
        total.add(own)
        for other in _readable(path for path in self._folder.glob(f"*{_SUFFIX}") if path != self._own):
            total.add(other)
        return total


def _readable(paths: Iterable[Path]) -> Iterator[Figures]:
    for path in paths:
        try:
            yield _decoder.decode(path.read_bytes())
        except (OSError, msgspec.DecodeError):
            continue  # not written yet, or by another version: these counters begin anew


TOTALS = {
    "rejected": "Requests that were the caller's fault (4xx).",
    "shed": "Requests refused for lack of room (429).",
    "unassigned": "Answers that no table assigned: unit missing, or an arm not ready.",
    "fallbacks": "Answers given by the champion because the assigned version failed.",
    "labels": "Labels accepted.",
    "records_logged": "Prediction records written.",
    "records_dropped": "Prediction records dropped: no room, or the disk refused them.",
    "blocks_spooled": "Observation blocks kept for the control plane.",
    "cells_dropped": "Cells of observation blocks dropped because the spool was full.",
}


def exposition(figures: Figures) -> str:
    """The Prometheus text format, version 0.0.4."""
    lines: list[str] = []
    for name, meaning in TOTALS.items():
        lines += _head(f"lockgate_{name}_total", "counter", meaning)
        lines.append(f"lockgate_{name}_total {figures.totals.get(name, 0)}")
    lines += _head("lockgate_requests_total", "counter", "Requests that a version was tried with.")
    lines += [f"lockgate_requests_total{{{labels}}} {one.completed}" for labels, one in _labelled(figures)]
    lines += _head("lockgate_failures_total", "counter", "Requests that a version failed, by kind.")
    for labels, one in _labelled(figures):
        lines += [f'lockgate_failures_total{{{labels},kind="{kind}"}} {n}' for kind, n in sorted(one.failures.items())]
    lines += _head("lockgate_inference_seconds", "histogram", "Time in the runtime, without queueing.")
    for labels, one in _labelled(figures):
        lines += _histogram(labels, one.latency)
    return "\n".join(lines) + "\n"


def _head(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def _labelled(figures: Figures) -> list[tuple[str, VersionFigures]]:
    return [
        (f'model="{_escaped(model)}",version="{version}"', one)
        for model, versions in sorted(figures.versions.items())
        for version, one in sorted(versions.items())
    ]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _histogram(labels: str, counts: dict[int, int]) -> list[str]:
    """Buckets are 5 % wide, so that an edge is met to within 5 %; the sum is made of their upper edges."""
    name = "lockgate_inference_seconds"
    lines = []
    for edge in EDGES:
        below = sum(count for index, count in counts.items() if histogram.upper_edge(index) <= edge)
        lines.append(f'{name}_bucket{{{labels},le="{edge}"}} {below}')
    total = sum(counts.values())
    spent = sum(count * histogram.upper_edge(index) for index, count in counts.items())
    return [
        *lines,
        f'{name}_bucket{{{labels},le="+Inf"}} {total}',
        f"{name}_sum{{{labels}}} {spent:.6f}",
        f"{name}_count{{{labels}}} {total}",
    ]
