"""What every use case needs of the world."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.kernel.clock import Clock
from lockgate.ports.artifacts import ArtifactStore
from lockgate.ports.state import State


@dataclass(frozen=True, slots=True)
class World:
    state: State
    artifacts: ArtifactStore
    clock: Clock
