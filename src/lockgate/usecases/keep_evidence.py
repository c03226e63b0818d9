"""Keep what the gates found of a run's candidate as a document of its own, which is what people decide by."""

from __future__ import annotations

from lockgate.domain.runs import Run
from lockgate.kernel.release import __version__
from lockgate.stages.decide.evidence import GateEvidence, encode
from lockgate.usecases.world import World


def keep_evidence(world: World, run: Run, package: str, evaluation: str | None = None, reference: str | None = None) -> str:
    """The digest of the document, which is stored. package, evaluation, reference: digests of what was judged.

    Raises:
        Unavailable: the store of artifacts.
    """
    found = GateEvidence(
        model=run.model,
        run=run.id,
        judged_at=world.clock.now(),
        release=__version__,
        package=package,
        gates=run.gates,
        evaluation=evaluation,
        reference=reference,
        data=run.data,
        metrics=run.metrics,
        commit=run.commit,
        dirty=run.dirty,
    )
    return world.artifacts.put(encode(found))
