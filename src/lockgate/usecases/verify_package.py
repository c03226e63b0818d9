"""Is a stored package whole, and does it still say what the original model said?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lockgate.boundary.manifest import File, Manifest, decode
from lockgate.kernel.digest import short
from lockgate.kernel.errors import Corrupt, Fault, Invalid, InvalidInput, NotFound, Refused
from lockgate.ports.artifacts import ArtifactStore
from lockgate.ports.runtimes import Runtime
from lockgate.stages.build.packaging.parity import Parity, verify


@dataclass(frozen=True, slots=True)
class VerifiedPackage:
    manifest: Manifest
    parity: Parity


def verify_package(artifacts: ArtifactStore, digest: str, runtimes: Iterable[Runtime]) -> VerifiedPackage:
    """The package behind its manifest's digest: every file as it was stored, every golden row answered as by the original.

    Raises:
        NotFound, Corrupt: the manifest. InvalidInput: files are missing or altered, all of them at once.
        Invalid: no runtime for it here, or it cannot answer. Refused: its answers differ from the original's.
    """
    manifest = decode(artifacts.get(digest), digest)
    files = _files(artifacts, manifest, digest)
    runtime = next((one for one in runtimes if one.name == manifest.runtime), None)
    if runtime is None:
        raise Invalid(f"package {short(digest)} runs on {manifest.runtime!r}, for which there is no runtime here")
    parity = verify(manifest.golden, runtime.scores(manifest, files, manifest.golden.inputs))
    if not parity.holds:
        raise Refused(f"package {short(digest)} does not answer as the original did: {parity}", hint="Package the model anew.")
    return VerifiedPackage(manifest, parity)


def _files(artifacts: ArtifactStore, manifest: Manifest, digest: str) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    faults = [fault for file in manifest.files for fault in _fetch(artifacts, file, files)]
    if faults:
        raise InvalidInput(f"package {short(digest)}", faults, hint="Restore the artifacts from a backup, or package anew.")
    return files


def _fetch(artifacts: ArtifactStore, file: File, files: dict[str, bytes]) -> Iterator[Fault]:
    try:
        content = artifacts.get(file.digest)
    except (NotFound, Corrupt) as error:
        yield Fault(file.name, error.message)
        return
    if len(content) != file.size:
        yield Fault(file.name, f"{len(content)} bytes found, {file.size} expected")
    files[file.name] = content
