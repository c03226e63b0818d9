"""The result file: everything that was measured, raw, with what is needed to read it later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from benchmarks.serving.compare import Missing, Run
from benchmarks.serving.contestants.kind import Contestant
from benchmarks.serving.growth import Step


class Entrant(msgspec.Struct, frozen=True):
    """Who took part, as the report names it."""

    name: str
    title: str
    settings: str
    library: str
    version: str
    peer: bool


class Results(msgspec.Struct, frozen=True):
    """alone: model → library → seconds for one row without a server."""

    measured_on: str  # day
    machine: dict[str, Any]
    seconds: float
    repetitions: int
    models: dict[str, str]  # name → title
    entrants: tuple[Entrant, ...]
    runs: tuple[Run, ...]
    missing: tuple[Missing, ...]
    alone: dict[str, dict[str, float]]
    growth: tuple[Step, ...] = ()
    skipped: tuple[str, ...] = ()


def entrant(contestant: Contestant) -> Entrant:
    library = contestant.library or "Lockgate"
    return Entrant(contestant.name, contestant.title, contestant.settings, library, contestant.version(), contestant.peer)


def write(results: Results, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))


def read(path: Path) -> Results:
    return msgspec.json.decode(path.read_bytes(), type=Results)
