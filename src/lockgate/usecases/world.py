"""What every use case needs of the world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lockgate.kernel.clock import Clock
from lockgate.ports.artifacts import ArtifactStore
from lockgate.ports.distributions import Distributions
from lockgate.ports.learners import Learners
from lockgate.ports.signer import Signer
from lockgate.ports.state import State


@dataclass(frozen=True, slots=True)
class World:
    """learners: by runtime, for those whose models can learn. signer: of releases; None: what is registered stays unsigned.

    distributions: what is installed here to run packages; None: nothing is known of it.
    """

    state: State
    artifacts: ArtifactStore
    clock: Clock
    learners: Mapping[str, Learners] = field(default_factory=dict)
    signer: Signer | None = None
    distributions: Distributions | None = None
