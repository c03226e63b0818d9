"""What `/metrics` shows: totals of this worker since its place was first filled, added up with those of the other places.

Each worker leaves its totals in a small file every time it closes a block; whoever is asked adds the files up. A worker that
takes a dead one's place goes on from its file, so a counter never falls because a process died; the last 200 ms may be missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec

from lockgate.boundary import histogram
from lockgate.serving.capture.fold import Seen

EDGES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds
_SUFFIX = ".figures"


class VersionFigures(msgspec.Struct):
    completed: int = 0
    failures: dict[str, int] = {}
    latency: dict[int, int] = {}
    agreed: int = 0
    disagreed: int = 0

    def add(self, more: VersionFigures) -> None:
        self.completed += more.completed
        self.agreed += more.agreed
        self.disagreed += more.disagreed
        histogram.merge(self.latency, more.latency)
        for kind, number in more.failures.items():
            self.failures[kind] = self.failures.get(kind, 0) + number


Versions: TypeAlias = dict[str, dict[int, VersionFigures]]  # by model and version


class Figures(msgspec.Struct):
    """shadows: versions whose answers nobody got."""

    versions: Versions = {}
    totals: dict[str, int] = {}
    shadows: Versions = {}

    def count(self, name: str, number: int = 1) -> None:
        self.totals[name] = self.totals.get(name, 0) + number

    def add_seen(self, seen: Seen) -> None:
        cell = seen.cell
        figures = VersionFigures(cell.completed, cell.failures, cell.latency, cell.agreed, cell.disagreed)
        _of(self.shadows if cell.shadow else self.versions, cell.model, cell.version).add(figures)

    def add(self, other: Figures) -> None:
        for name, number in other.totals.items():
            self.count(name, number)
        for mine, others in ((self.versions, other.versions), (self.shadows, other.shadows)):
            for model, versions in others.items():
                for version, figures in versions.items():
                    _of(mine, model, version).add(figures)


def _of(versions: Versions, model: str, version: int) -> VersionFigures:
    return versions.setdefault(model, {}).setdefault(version, VersionFigures())


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
    "denied": "Requests without a key that may do what they ask for, and those that tried too often (400, 401, 403, 429).",
    "limited": "Requests beyond the rate of their key (429).",
    "shadows_shed": "Requests that a shadow was not asked, for lack of room or time.",
    "unassigned": "Answers that no table assigned: unit missing, or an arm not ready.",
    "fallbacks": "Answers given by the champion because the assigned version failed.",
    "labels": "Labels accepted.",
    "lessons": "Lessons accepted, one for each request.",
    "records_logged": "Prediction records written.",
    "records_dropped": "Prediction records dropped: no room, or the disk refused them.",
    "records_lost": "Prediction records that killed workers had not written yet.",
    "segments_removed": "Segments of prediction records removed because their folder was full, the oldest first.",
    "access_dropped": "Lines of the access log dropped: no room, or the disk refused them.",
    "requests_lost": "Requests that found no room in the book of a worker: they are in no block.",
    "blocks_spooled": "Observation blocks kept for the control plane.",
    "cells_dropped": "Cells of observation blocks dropped because the spool was full.",
}


def exposition(figures: Figures) -> str:
    """The Prometheus text format, version 0.0.4."""
    lines: list[str] = []
    for name, meaning in TOTALS.items():
        lines += _head(f"lockgate_{name}_total", "counter", meaning)
        lines.append(f"lockgate_{name}_total {figures.totals.get(name, 0)}")
    lines += _versions("lockgate_", "a version was tried with", figures.versions)
    lines += _versions("lockgate_shadow_", "a shadow was tried with, whose answer nobody got", figures.shadows)
    lines += _head("lockgate_shadow_pairs_total", "counter", "Answers of shadows that were compared with those given.")
    for labels, one in _labelled(figures.shadows):
        lines.append(f'lockgate_shadow_pairs_total{{{labels},agreed="true"}} {one.agreed}')
        lines.append(f'lockgate_shadow_pairs_total{{{labels},agreed="false"}} {one.disagreed}')
    return "\n".join(lines) + "\n"


def _versions(prefix: str, what: str, versions: Versions) -> list[str]:
    labelled = _labelled(versions)
    lines = _head(f"{prefix}requests_total", "counter", f"Requests that {what}.")
    lines += [f"{prefix}requests_total{{{labels}}} {one.completed}" for labels, one in labelled]
    lines += _head(f"{prefix}failures_total", "counter", "Those of them that failed, by kind.")
    for labels, one in labelled:
        lines += [f'{prefix}failures_total{{{labels},kind="{kind}"}} {n}' for kind, n in sorted(one.failures.items())]
    lines += _head(f"{prefix}inference_seconds", "histogram", "Time in the runtime, without queueing.")
    for labels, one in labelled:
        lines += _histogram(f"{prefix}inference_seconds", labels, one.latency)
    return lines


def _head(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def _labelled(of: Versions) -> list[tuple[str, VersionFigures]]:
    return [
        (f'model="{_escaped(model)}",version="{version}"', one)
        for model, versions in sorted(of.items())
        for version, one in sorted(versions.items())
    ]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _histogram(name: str, labels: str, counts: dict[int, int]) -> list[str]:
    """Buckets are 5 % wide, so that an edge is met to within 5 %; the sum is made of their upper edges."""
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
