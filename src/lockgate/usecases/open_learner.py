"""Open a version's package as a model that learns."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.boundary.manifest import Manifest, decode, names
from lockgate.domain.models import ModelVersion
from lockgate.kernel.digest import short
from lockgate.kernel.errors import Invalid
from lockgate.ports.learners import Learner
from lockgate.usecases.world import World


@dataclass(frozen=True, slots=True)
class Opened:
    """A package and its model in memory, which learns; the manifest stays that of the package."""

    digest: str
    manifest: Manifest
    learner: Learner

    @property
    def inputs(self) -> tuple[str, ...]:
        return names(self.manifest.signature.inputs)


def open_learner(world: World, version: ModelVersion) -> Opened:
    """The model as its package holds it.

    Raises:
        Invalid: its runtime has no models that learn, or the package holds none. MissingExtra. NotFound, Corrupt: an artifact.
    """
    manifest = decode(world.artifacts.get(version.digest), version.digest)
    files = {file.name: world.artifacts.get(file.digest) for file in manifest.files}
    return Opened(version.digest, manifest, learner_of(world, version.digest, manifest, files))


def learner_of(world: World, digest: str, manifest: Manifest, files: dict[str, bytes]) -> Learner:
    """Raises: as `open_learner`."""
    learners = world.learners.get(manifest.runtime)
    if learners is None:
        known = ", ".join(sorted(world.learners)) or "none here"
        raise Invalid(
            f"package {short(digest)} of {manifest.model} runs on {manifest.runtime!r}, whose models do not learn row by row;"
            f" those that do: {known}",
            hint="Bring a model into Production that learns row by row, one of River's, or take another strategy.",
        )
    return learners.open(manifest, files)
