"""Gather what a version is made of, so that a form can be built of it: its package as verified files, and its signed papers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from lockgate.boundary.folder import check_names
from lockgate.boundary.manifest import Manifest, decode
from lockgate.boundary.releases import Release
from lockgate.domain.forms import Contents
from lockgate.kernel.errors import Corrupt, Fault, NotFound, Refused
from lockgate.ports.artifacts import ArtifactStore
from lockgate.usecases.find_things import version_of
from lockgate.usecases.world import World

T = TypeVar("T")
_RESTORE = "Restore the artifacts from a backup, or run the pipeline again for a new version."


def gather(world: World, model: str, version: int, folder: Path) -> Contents:
    """What goes into a form of the version. folder: empty; the package's files are put there, and never whole into memory.

    Raises:
        NotFound: there is no such version, or no longer. Corrupt: parts of it are gone or damaged, and which, all of them at
        once. Unavailable: the folder cannot be written to.
    """
    with world.state.read() as tx:
        found = version_of(tx, model, version)
    release = Release(model, version, found.digest, found.provenance, found.sbom)
    fetched = _Fetched(world.artifacts)
    manifest_bytes = fetched.get("manifest.json", release.digest)
    papers = fetched.papers({"provenance": release.provenance, "bill of materials": release.sbom})
    manifest = decode(manifest_bytes, release.digest) if manifest_bytes is not None else None
    files = fetched.files(manifest, folder) if manifest is not None else {}
    if manifest is None or manifest_bytes is None or fetched.faults:
        raise Corrupt(f"{release} is not whole:" + "".join(f"\n  {fault}" for fault in fetched.faults), hint=_RESTORE)
    return Contents(release, manifest, manifest_bytes, files, papers)


def gather_signed(world: World, versions: Sequence[tuple[str, int]], draft: Path) -> list[Contents]:
    """Of several versions, each given by its model and number. draft: folders of theirs are made in it.

    Raises:
        Refused: nobody vouches for one of them. Others: as `gather`.
    """
    contents = []
    for place, (model, version) in enumerate(versions):
        (folder := draft / f"contents-{place}").mkdir()
        one = gather(world, model, version, folder)
        if not one.release.provenance:
            hint = f"It was registered before versions were signed. Sign it: lockgate sign {model} {version}"
            raise Refused(f"{one.release} is not signed, so nobody could tell whose it is", hint=hint)
        contents.append(one)
    return contents


class _Fetched:
    """What came out of the store, and what should have and did not."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self.faults: list[Fault] = []
        self._artifacts = artifacts

    def get(self, name: str, digest: str) -> bytes | None:
        return self._tried(name, lambda: self._artifacts.get(digest))

    def papers(self, named: Mapping[str, str]) -> dict[str, bytes]:
        """By digest. named: the digest by what it is; "" where there is none."""
        found = {digest: self.get(name, digest) for name, digest in named.items() if digest}
        return {digest: content for digest, content in found.items() if content is not None}

    def files(self, manifest: Manifest, folder: Path) -> dict[str, Path]:
        check_names(file.name for file in manifest.files)
        return {file.name: self._copy(file.name, file.digest, folder / file.name) for file in manifest.files}

    def _copy(self, name: str, digest: str, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._tried(name, lambda: self._artifacts.copy(digest, path))
        return path

    def _tried(self, name: str, fetch: Callable[[], T]) -> T | None:
        try:
            return fetch()
        except (NotFound, Corrupt) as error:
            self.faults.append(Fault(name, error.message))
            return None
