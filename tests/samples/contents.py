"""What goes into a form: a version whose package is one of the runtimes' models, with papers signed by a key of the tests."""

from __future__ import annotations

from pathlib import Path

from lockgate.boundary import bundles, statements
from lockgate.boundary.envelopes import Sealer
from lockgate.boundary.manifest import Manifest, encode
from lockgate.boundary.releases import Release
from lockgate.domain.forms import Contents
from lockgate.kernel.digest import digest_bytes, digits
from lockgate.kernel.release import __version__
from lockgate.stages.decide.bill import bill
from lockgate.stages.decide.papers import Facts
from lockgate.stages.decide.provenance import provenance
from lockgate.testing import builders as a


def contents_of(manifest: Manifest, files: dict[str, Path], signer: Sealer, number: int = 1) -> Contents:
    """files: of the package, by name."""
    manifest_bytes = encode(manifest)
    digest = digest_bytes(manifest_bytes)
    version = a.version(number, model=manifest.model, digest=digest, evaluation=a.digest("evaluation"), metrics={"auc": 0.7})
    facts = Facts(version, manifest, __version__, a.run(model=manifest.model))
    subject = {bundles.MANIFEST: digest}
    said = [
        statements.say(subject, statements.PROVENANCE, provenance(facts), signer),
        statements.say(subject, statements.BILL, bill(facts), signer),
    ]
    release = Release(manifest.model, number, digest, digest_bytes(said[0]), digest_bytes(said[1]))
    papers = {release.provenance: said[0], release.sbom: said[1]}
    return Contents(release, manifest, manifest_bytes, files, papers)


def files_in(artifacts: Path, manifest: Manifest) -> dict[str, Path]:
    """artifacts: the folder of a local store."""
    found = {file.name: digits(file.digest) for file in manifest.files}
    return {name: artifacts / one[:2] / one[2:] for name, one in found.items()}
