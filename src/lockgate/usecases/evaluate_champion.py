"""What a candidate is compared with: the version in use, asked about the candidate's own held-out rows.

A version that learned from a year and one that learned from its first quarter hold out winter rows in common and nothing else;
comparing them there punishes whoever knows the summer. So the champion answers the candidate's rows where it can. Where it
cannot (it needs columns that the candidate does not have, or has otherwise), its own evaluation stands, joined by the examples'
names.
"""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.boundary.manifest import Manifest, decode, names
from lockgate.domain import evaluation
from lockgate.domain.evaluation import Evaluation
from lockgate.domain.models import CHAMPION, ModelVersion
from lockgate.domain.packages import Packaged
from lockgate.kernel.errors import Invalid
from lockgate.ports.artifacts import ArtifactStore
from lockgate.ports.runtimes import Runtime
from lockgate.ports.state import ALIASES, VERSIONS, Reader
from lockgate.usecases.world import World


def evaluate_champion(world: World, runtimes: Iterable[Runtime], model: str, candidate: Packaged) -> Evaluation | None:
    """The champion's evaluation; None if there is no champion.

    Raises:
        NotFound, Corrupt: its package or evaluation is gone or damaged.
    """
    with world.state.read() as tx:
        version = _champion(tx, model)
    if version is None or version.evaluation is None:
        return None
    manifest = decode(world.artifacts.get(version.digest), version.digest)
    runtime = next((one for one in runtimes if one.name == manifest.runtime), None)
    if runtime is not None and set(names(manifest.signature.inputs)) <= set(candidate.held_out):
        try:
            return _asked(runtime, world.artifacts, manifest, candidate)
        except Invalid:
            pass  # a column of the same name holds something else now: the champion cannot answer these rows
    return evaluation.decode(world.artifacts.get(version.evaluation))


def _asked(runtime: Runtime, artifacts: ArtifactStore, manifest: Manifest, candidate: Packaged) -> Evaluation:
    files = {file.name: artifacts.get(file.digest) for file in manifest.files}
    columns = {name: candidate.held_out[name] for name in names(manifest.signature.inputs)}
    scores = runtime.scores(manifest, files, columns)
    rows = evaluation.decode(candidate.evaluation)
    return Evaluation(rows.ids, list(scores), rows.label, rows.slices)


def _champion(tx: Reader, model: str) -> ModelVersion | None:
    alias = tx.get(ALIASES, model, CHAMPION)
    return tx.get(VERSIONS, model, alias.version) if alias else None
