"""What every use case needs of the world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lockgate.kernel.clock import Clock
from lockgate.ports.artifacts import ArtifactStore
from lockgate.ports.learners import Learners
from lockgate.ports.state import State


@dataclass(frozen=True, slots=True)
class World:
    """learners: by runtime, for those whose models can learn."""

    state: State
    artifacts: ArtifactStore
    clock: Clock
    learners: Mapping[str, Learners] = field(default_factory=dict)
