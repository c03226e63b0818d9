"""What a contestant is: a way to ask it, and a way to start it with a model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.dialects import Dialect
from benchmarks.serving.environments import versions
from benchmarks.serving.models import Served
from benchmarks.serving.plane import DataPlane
from benchmarks.serving.processes import Server


@dataclass(frozen=True, slots=True)
class Place:
    """folder: empty, for what a server needs. cache: where the environments and logs are."""

    folder: Path
    cache: Path
    model: Served

    def log(self, name: str) -> Path:
        path = self.cache / "logs" / f"{name}-{self.model.name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True, slots=True)
class Started:
    """plane: Lockgate's, whose control plane counts what was served; None for others."""

    port: int
    server: Server
    plane: DataPlane | None = None


@dataclass(frozen=True, slots=True)
class Contestant:
    """environment: the name of its requirements; None: the project's own. library: whose version is reported.

    `start` raises Absent, with the reason, when it cannot take part here.
    """

    name: str
    title: str
    settings: str
    dialect: Callable[[Served], Dialect]
    start: Callable[[Place], AbstractContextManager[Started]]
    environment: str | None = None
    library: str = ""

    @property
    def peer(self) -> bool:
        return self.environment is not None

    def takes(self, model: Served) -> bool:
        return model.numeric or not self.peer

    def version(self) -> str:
        return versions(self.environment)[self.library] if self.environment else "this tree"
