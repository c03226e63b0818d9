"""Versions of real models in a home, signed as a run would have signed them."""

from __future__ import annotations

from lockgate.boundary.manifest import encode
from lockgate.domain.models import ModelVersion, RegisteredModel
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.ports.state import MODELS, VERSIONS
from lockgate.testing import builders as a
from lockgate.usecases.sign_version import sign_version
from lockgate.usecases.world import World
from tests.contracts.runtime_models.fixture import Fixture


def keep(world: World, made: Fixture, model: str = a.MODEL, *, signed: bool = True) -> ModelVersion:
    """The model's next version."""
    for file in made.manifest.files:
        world.artifacts.put(LocalArtifacts(made.artifacts).get(file.digest))
    digest = world.artifacts.put(encode(made.changed(model=model).manifest))
    with world.state.write() as tx:
        known = tx.get(MODELS, model)
        number = known.latest_version + 1 if known else 1
        tx.put(MODELS, RegisteredModel(model, world.clock.now(), number))
        version = a.version(number, model=model, digest=digest)
        tx.put(VERSIONS, version)
    return sign_version(world, model, number, a.ANNA) if signed else version
