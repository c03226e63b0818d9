"""Read what the gates found of a version, and verify that it is what was found then."""

from __future__ import annotations

from lockgate.domain.models import ModelVersion
from lockgate.kernel.errors import Corrupt, NotFound
from lockgate.ports.artifacts import ArtifactStore
from lockgate.stages.decide.evidence import GateEvidence, decode

_GONE = "Restore it from a backup, or run the pipeline again for a version with evidence of its own."


def read_evidence(artifacts: ArtifactStore, version: ModelVersion) -> GateEvidence:
    """What the version was registered by.

    Raises:
        NotFound, Corrupt, Invalid: as `evidence_document`.
    """
    return decode(evidence_document(artifacts, version))


def evidence_document(artifacts: ArtifactStore, version: ModelVersion) -> bytes:
    """The document as it was stored, canonical JSON; its digest is `version.evidence`.

    Raises:
        NotFound: the version has none, or the store has lost it. Corrupt: a byte of it is another one now.
    """
    whose = f"{version.model} version {version.version}"
    if version.evidence is None:
        why = "checkpoints are judged by rows as they come" if version.learned else "it was registered before evidence was kept"
        raise NotFound(f"there is no gate evidence of {whose}: {why}")
    try:
        return artifacts.get(version.evidence)
    except Corrupt as error:
        raise Corrupt(f"the gate evidence of {whose} is damaged: {error.message}", hint=_GONE) from error
    except NotFound as error:
        raise NotFound(f"the gate evidence of {whose} is gone: {error.message}", hint=_GONE) from error
