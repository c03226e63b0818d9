"""What a version's papers say, for people: who made it, from what, with which libraries, and by which key that was signed.

What is read here was stored by its digest; no signature is verified: `lockgate verify` does that, with a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.boundary import envelopes, statements
from lockgate.boundary.trust import Trust, TrustedKey
from lockgate.domain.models import ModelVersion
from lockgate.domain.policy import PolicyRecord
from lockgate.entrypoints.reading.predicates import builder, libraries, sources
from lockgate.ports.artifacts import ArtifactStore
from lockgate.stages.decide.vouching import trust_by


@dataclass(frozen=True, slots=True)
class Papers:
    """keyid: of the key that signed them, "" if none did. key: the same where the policy knows it. sources: name and digest."""

    keyid: str
    key: TrustedKey | None
    builder: str
    sources: tuple[tuple[str, str], ...]
    libraries: tuple[str, ...]


def papers_of(artifacts: ArtifactStore, version: ModelVersion, policy: PolicyRecord | None) -> Papers | None:
    """policy: in force. None: it has none, or the store does not hold them.

    Raises:
        Corrupt: one is not what was stored.
    """
    if not all(digest and artifacts.has(digest) for digest in (version.provenance, version.sbom)):
        return None
    keyid, provenance = _opened(artifacts, version.provenance)
    _, bill = _opened(artifacts, version.sbom)
    trust = trust_by(policy.policy.signatures, policy.own_key) if policy is not None else Trust()
    return Papers(keyid, trust.by_id().get(keyid), builder(provenance), tuple(sources(provenance)), tuple(libraries(bill)))


def _opened(artifacts: ArtifactStore, digest: str) -> tuple[str, Mapping[str, Any]]:
    """The fingerprint of the key that signed it, and what it says."""
    envelope = envelopes.decode(artifacts.get(digest), digest)
    stated = statements.read(envelopes.payload_of(envelope, digest), digest)
    return envelope.signatures[0].keyid if envelope.signatures else "", stated.predicate
