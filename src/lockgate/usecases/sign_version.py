"""Sign a version's papers: who made its package and from what (SLSA provenance), and what it is made of (CycloneDX).

Both are statements about the digest of the package's manifest, kept as artifacts. They are signed before the transaction in which
the version is registered, for a key may lie in another machine; the event stands in the same transaction as the version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from lockgate.boundary import bundles, statements
from lockgate.boundary.envelopes import decode as opened
from lockgate.boundary.manifest import Manifest, decode
from lockgate.boundary.public_keys import key_id
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import ModelVersion
from lockgate.domain.people import Actor
from lockgate.domain.runs import Run
from lockgate.kernel.errors import Conflict
from lockgate.kernel.release import __version__
from lockgate.ports.signer import Signer
from lockgate.ports.state import MODELS, NOTES, RUNS, VERSIONS, Writer
from lockgate.stages.decide import evidence
from lockgate.stages.decide.bill import bill
from lockgate.stages.decide.papers import Facts
from lockgate.stages.decide.provenance import provenance
from lockgate.usecases.find_things import version_of
from lockgate.usecases.list_needs import needs_of
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.world import World


def sign_version(world: World, model: str, number: int, actor: Actor) -> ModelVersion:
    """Of a version that was registered without papers, or whose papers another key signed than signs here now: one that was
    revoked, say. As it is, and nothing happens, where it has them.

    Raises:
        NotFound: there is no such version. Conflict: nobody signs here. Corrupt, NotFound: its package is not whole. Unavailable:
        the key, or the store of artifacts.
    """
    with world.state.read() as tx:
        version = version_of(tx, model, number)
        run = tx.get(RUNS, version.run)
    if _has_papers(world, version):
        return version
    if world.signer is None:
        raise Conflict(f"there is no key here to sign {model} {number} with")
    drawn = with_papers(world, version, run)
    with world.state.write() as tx:
        standing = version_of(tx, model, number)  # its stage may have moved meanwhile
        if standing.digest != drawn.digest:
            raise Conflict(f"version {number} of {model} is another one by now", hint="Ask again.")
        signed = replace(standing, provenance=drawn.provenance, sbom=drawn.sbom)
        if signed != standing:
            tx.put(VERSIONS, signed)
            record_signed(tx, world, signed, actor, world.clock.now())
            publish_routes(tx, model)  # the data plane looks at the papers that its table names
    return signed


def _has_papers(world: World, version: ModelVersion) -> bool:
    """By the key that signs here now; where nobody signs, by any."""
    if not (version.provenance and version.sbom) or world.signer is None:
        return bool(version.provenance and version.sbom)
    own = key_id(world.signer.public_key)
    return any(one.keyid == own for one in opened(world.artifacts.get(version.provenance), "the provenance").signatures)


def with_papers(world: World, version: ModelVersion, run: Run | None) -> ModelVersion:
    """The version with its papers, which are stored; as it is where nobody signs here. Nothing is registered.

    Raises:
        NotFound, Corrupt: its package's manifest. Unavailable: the key, or the store of artifacts.
    """
    if world.signer is None:
        return version
    manifest = decode(world.artifacts.get(version.digest), version.digest)
    facts = _facts(world, version, manifest, run)
    return replace(
        version,
        provenance=_signed(world, world.signer, version, statements.PROVENANCE, provenance(facts)),
        sbom=_signed(world, world.signer, version, statements.BILL, bill(facts)),
    )


def next_number(world: World, model: str) -> int:
    """Of the version that would be registered now."""
    with world.state.read() as tx:
        found = tx.get(MODELS, model)
    return (found.latest_version if found else 0) + 1


def renumbered(world: World, version: ModelVersion, number: int, run: Run | None) -> ModelVersion:
    """The version as drawn up, or drawn up again if another one took its number meanwhile."""
    return version if version.version == number else with_papers(world, replace(version, version=number), run)


def record_signed(tx: Writer, world: World, version: ModelVersion, actor: Actor, now: datetime) -> None:
    """Nothing happened where the version has no papers."""
    if not version.provenance:
        return
    envelope = opened(world.artifacts.get(version.provenance), "the provenance")
    details = {"provenance": version.provenance, "sbom": version.sbom, "key": envelope.signatures[0].keyid}
    subject = f"{version.model}/{version.version}"
    who = actor.name, actor.authenticated
    tx.record(Happened(Action.VERSION_SIGNED, *who, now, subject, version.model, version.version, details))


def _facts(world: World, version: ModelVersion, manifest: Manifest, run: Run | None) -> Facts:
    with world.state.read() as tx:
        notes = (tx.get(NOTES, version.model, 0), tx.get(NOTES, version.model, version.version))
    written = tuple(one for one in notes if one is not None)
    needs = needs_of(world.artifacts, world.distributions, manifest) if world.distributions is not None else ()
    return Facts(version, manifest, _release(world, version), run, written, needs)


def _release(world: World, version: ModelVersion) -> str:
    """The lockgate that judged it, and so that made it; a later one may be signing."""
    if version.evidence is None or not world.artifacts.has(version.evidence):
        return __version__
    return evidence.decode(world.artifacts.get(version.evidence)).release


def _signed(world: World, signer: Signer, version: ModelVersion, kind: str, predicate: Mapping[str, Any]) -> str:
    """The digest of the stored envelope."""
    return world.artifacts.put(statements.say({bundles.MANIFEST: version.digest}, kind, predicate, signer))
