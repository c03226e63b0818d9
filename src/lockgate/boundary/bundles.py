"""What every form carries of a version: its package, the release that it is, and the signed papers about it, as named members."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from lockgate.boundary import statements
from lockgate.boundary.archives import Content
from lockgate.boundary.envelopes import Sealer
from lockgate.boundary.releases import Release
from lockgate.kernel.errors import Corrupt

RELEASE = "release.json"
MANIFEST = "manifest.json"
FILES = "files/"  # and the names that the manifest gives them
PROVENANCE = "papers/provenance.dsse.json"
SBOM = "papers/sbom.dsse.json"
SIGNATURE = "signature.dsse.json"  # of all other members
SUFFIX = ".lockgate"  # of a file that holds these and nothing else


def members(release: Release, manifest: bytes, files: Mapping[str, Path], papers: Mapping[str, bytes]) -> dict[str, Content]:
    """By name, without a signature. manifest: its bytes as stored. files: by name. papers: by digest."""
    found: dict[str, Content] = {RELEASE: encode(release), MANIFEST: manifest}
    found |= {FILES + name: path for name, path in files.items()}
    named = ((PROVENANCE, release.provenance), (SBOM, release.sbom))
    return found | {name: papers[digest] for name, digest in named if digest}


def signature(digests: Mapping[str, str], release: Release, *sealers: Sealer) -> bytes:
    """What is to stand beside the members. digests: of each, by the name that it has in its archive."""
    predicate = {"name": release.model, "releaseId": str(release.version), "purl": purl(release)}
    return statements.say(digests, statements.RELEASE, predicate, *sealers)


def purl(release: Release) -> str:
    """The package URL of a version: what scanners and bills of materials call it."""
    return f"pkg:generic/{release.model}@{release.version}"


def encode(release: Release) -> bytes:
    return msgspec.json.encode(release, order="deterministic")


def decode(content: bytes) -> Release:
    """Raises Corrupt if it is no release."""
    try:
        return msgspec.json.decode(content, type=Release)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"{RELEASE} cannot be read: {error}") from error
