"""A package that a worker made, taken into the artifacts: from here on it can be judged, and registered."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from lockgate.boundary import manifest
from lockgate.boundary.manifest import File, Lineage, Manifest
from lockgate.domain import evaluation
from lockgate.domain.evaluation import Evaluation
from lockgate.domain.packages import Packaged
from lockgate.domain.runs import Run
from lockgate.kernel.errors import Invalid
from lockgate.ports.artifacts import ArtifactStore
from lockgate.usecases.world import World


@dataclass(frozen=True, slots=True)
class Candidate:
    """digest: of the package's manifest. evaluation_digest, reference: of artifacts."""

    digest: str
    manifest: Manifest
    packaged: Packaged
    evaluation: Evaluation
    evaluation_digest: str
    reference: str


def candidate_of(world: World, run: Run, content: bytes) -> Candidate:
    """Store all parts of a package; `content` is a domain.packages.Packaged as a worker wrote it.

    Raises:
        Invalid: it is none.
    """
    try:
        packaged = msgspec.msgpack.decode(content, type=Packaged)
    except msgspec.DecodeError as error:
        raise Invalid(f"the packager gave no package: {error}") from error
    made = Manifest(
        model=run.model,
        runtime=packaged.runtime,
        files=tuple(_stored(world.artifacts, name, packaged.files[name]) for name in sorted(packaged.files)),
        signature=packaged.signature,
        golden=packaged.golden,
        lineage=Lineage(run.id, run.commit, run.dirty, run.author, run.data, run.params),
        environment=packaged.environment,
        options=packaged.options,
        requirements=packaged.requirements,
    )
    return Candidate(
        digest=world.artifacts.put(manifest.encode(made)),
        manifest=made,
        packaged=packaged,
        evaluation=evaluation.decode(packaged.evaluation),
        evaluation_digest=world.artifacts.put(packaged.evaluation),
        reference=world.artifacts.put(packaged.reference),
    )


def _stored(artifacts: ArtifactStore, name: str, content: bytes) -> File:
    return File(name, artifacts.put(content), len(content))
