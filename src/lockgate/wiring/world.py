"""The composition root: which implementation stands behind each port here."""

from __future__ import annotations

from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.integrations.local.distributions import LocalDistributions
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.clock import SystemClock
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.learners import LEARNERS
from lockgate.wiring.signer import open_release_signer


def open_world(home: Home) -> World:
    """The world of a home, which is made ready if it is new."""
    home.prepare()
    state, artifacts = SqlState.open(home.database), LocalArtifacts(home.artifacts)
    return World(state, artifacts, SystemClock(), LEARNERS, open_release_signer(home), LocalDistributions())
