"""A packaged model as it comes from elsewhere, a folder or a file, checked and laid down as artifacts that a runtime reads.

What stands in it is `boundary.bundles`' to say. Nothing of it is believed: its files are found by the names that its manifest
gives them, and lie where their digests say; so no name in it ever becomes a path here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import IO, Protocol
from zipfile import ZipFile

import msgspec

from lockgate.boundary import bundles, images
from lockgate.boundary.archives import check_canonical, reading
from lockgate.boundary.checked_archives import check_archive
from lockgate.boundary.checking import Step, Steps, check_bundle
from lockgate.boundary.folder import check_names
from lockgate.boundary.manifest import File, Manifest, decode
from lockgate.boundary.package_folders import FolderSource
from lockgate.boundary.releases import Release, check_provenance
from lockgate.boundary.trust import Trust, TrustedKey
from lockgate.kernel.digest import PREFIX, digits
from lockgate.kernel.errors import Corrupt, Invalid, Refused, Unavailable

_CHUNK = 1 << 20
_MOST_RELEASE = 1 << 16  # bytes
_MOST_MANIFEST = 64 << 20
_MOST_PAPER = 64 << 20
_AGAIN = "It was cut short or altered: fetch it again."


class Unpacked(msgspec.Struct, frozen=True):
    """signer: who vouches for it; None where no keys were given. folder: where its files lie; None: they were copied."""

    release: Release
    manifest: Manifest
    signer: TrustedKey | None = None
    folder: Path | None = None


class Source(Protocol):
    """Where members are found by their names."""

    what: str  # for people

    def open(self, name: str) -> IO[bytes] | None:
        """None if there is no such member."""
        ...

    def place(self, name: str) -> Path | None:
        """Where it lies as a file of its own; None if it must be copied."""
        ...


class ArchiveSource:
    """prefix: of the members' names, as `flight_delay/_model/` in a wheel."""

    def __init__(self, what: str, archive: ZipFile, prefix: str) -> None:
        self.what = what
        self._archive = archive
        self._names = frozenset(archive.namelist())
        self._prefix = prefix

    def open(self, name: str) -> IO[bytes] | None:
        full = self._prefix + name
        return self._archive.open(full) if full in self._names else None

    def place(self, name: str) -> Path | None:  # noqa: ARG002 - as the other source
        return None


def unpack(path: Path, artifacts: Path, trust: Trust | None = None) -> Unpacked:
    """Check what lies there and lay it down. artifacts: a folder by digest. trust: whose signature it needs; None: anybody's.

    Raises:
        NotFound: there is nothing. Corrupt: it is cut short, altered, or not what it says. Refused: nobody trusted signed it.
        Invalid: it is no packaged model. Unavailable: the disk refuses it.
    """
    try:
        if trust is not None and path.exists():
            _check_form(path, trust)
        with opened(path) as source:
            return laid_down(source, artifacts, trust, path.resolve() if path.is_dir() else None)
    except OSError as error:
        raise Unavailable(f"{path} cannot be unpacked into {artifacts}: {error.strerror or error}") from error


def unpack_all(path: Path, artifacts: Path, trust: Trust | None = None) -> list[Unpacked]:
    """The same of each model there: an image in a file (boundary.images) may hold several.

    Raises:
        As `unpack`.
    """
    if not images.is_image(path):
        return [unpack(path, artifacts, trust)]
    try:
        with images.opened(path) as sources:
            if trust is not None:
                _check_image(path, sources, trust)
            return [laid_down(one, artifacts, trust, None) for one in sources]
    except OSError as error:
        raise Unavailable(f"{path} cannot be unpacked into {artifacts}: {error.strerror or error}") from error


@contextmanager
def opened_all(path: Path, *, canonical: bool = True) -> Iterator[Sequence[Source]]:
    """As `opened`, of all models there."""
    if images.is_image(path):
        with images.opened(path) as found:
            yield found
    else:
        with opened(path, canonical=canonical) as source:
            yield [source]


def _check_image(path: Path, sources: Iterable[images.ImageSource], trust: Trust) -> None:
    """All members of each model, by the signature beside them. Raises Refused."""
    steps = Steps()
    for one in sources:
        members = one.members()
        check_bundle(steps, members, members, bundles.SIGNATURE, set(), trust, f"{one.what}: ")
    _check_steps(path, steps.done)


def _check_form(path: Path, trust: Trust) -> None:
    """All members of a file or a folder, by the signature among them. Raises Refused."""
    _check_steps(path, _folder_steps(path, trust) if path.is_dir() else check_archive(path, trust).steps)


def _folder_steps(path: Path, trust: Trust) -> list[Step]:
    steps, members = Steps(), FolderSource(path).members()
    check_bundle(steps, members, members, bundles.SIGNATURE, set(), trust)
    return steps.done


def _check_steps(path: Path, steps: Iterable[Step]) -> None:
    if faults := [f"{one.what}: {one.said}" for one in steps if not one.ok]:
        more = "" if path.is_dir() else f"See all that is wrong: lockgate verify {path}. "
        raise Refused(f"{path.name}: {faults[0]}", hint=f"{more}See whose keys you gave: --key.")


@contextmanager
def opened(path: Path, *, canonical: bool = True) -> Iterator[Source]:
    """Its members. canonical: whether an archive's form is checked, bit for bit.

    Raises:
        NotFound, Corrupt, Invalid: as `unpack`.
    """
    if path.is_dir():
        yield FolderSource(path)
        return
    with reading(path) as archive:
        if canonical:
            check_canonical(path, archive)
        yield ArchiveSource(path.name, archive, _prefix(path.name, archive))


def manifest_in(source: Source) -> tuple[Release, Manifest]:
    """What it says it is; its files are not looked at.

    Raises:
        Corrupt, Invalid: as `unpack`.
    """
    release = bundles.decode(_whole(source, bundles.RELEASE, _MOST_RELEASE))
    manifest = decode(_whole(source, bundles.MANIFEST, _MOST_MANIFEST), release.digest)
    if manifest.model != release.model:
        raise Corrupt(f"{source.what}: a package of {manifest.model!r:.80} found, {release.model!r:.80} expected", hint=_AGAIN)
    return release, manifest


def laid_down(source: Source, artifacts: Path, trust: Trust | None, folder: Path | None) -> Unpacked:
    """As `unpack`, of what is open already."""
    release, manifest = manifest_in(source)
    provenance = _paper(source, bundles.PROVENANCE)
    signer = check_provenance(release, provenance, trust) if trust is not None else None
    if provenance is not None and release.provenance:
        _keep(source, bundles.PROVENANCE, release.provenance, artifacts)
    check_names(file.name for file in manifest.files)
    for file in manifest.files:
        _lay(source, file, artifacts)
    _keep(source, bundles.MANIFEST, release.digest, artifacts)
    return Unpacked(release, manifest, signer, folder)


def _prefix(what: str, archive: ZipFile) -> str:
    found = [name for name in archive.namelist() if name == bundles.RELEASE or name.endswith(f"/_model/{bundles.RELEASE}")]
    if len(found) != 1:
        raise Invalid(
            f"{what}: {len(found)} packaged models found, one expected",
            hint="Give a file that `lockgate package` made: *.lockgate, or a wheel.",
        )
    return found[0].removesuffix(bundles.RELEASE)


def _whole(source: Source, name: str, most: int) -> bytes:
    content = _paper(source, name, most)
    if content is None:
        raise Invalid(f"{source.what} holds no {name}, so it is no packaged model", hint="`lockgate package` makes them.")
    return content


def _paper(source: Source, name: str, most: int = _MOST_PAPER) -> bytes | None:
    file = source.open(name)
    if file is None:
        return None
    with file:
        content = file.read(most + 1)
    if len(content) > most:
        raise Corrupt(f"{source.what}: {name} is larger than {most} bytes")
    return content


def _lay(source: Source, file: File, artifacts: Path) -> None:
    size = _keep(source, bundles.FILES + file.name, file.digest, artifacts)
    if size != file.size:
        raise Corrupt(f"{source.what}: {size} bytes of {file.name} found, {file.size} expected", hint=_AGAIN)


def _keep(source: Source, name: str, digest: str, artifacts: Path) -> int:
    """Lay a member down under the digest that it must have. Returns its size."""
    path, place = artifacts / digits(digest)[:2] / digits(digest)[2:], source.place(name)
    content = source.open(name)
    if content is None:
        raise Corrupt(f"{source.what}: {name} is missing", hint=_AGAIN)
    path.parent.mkdir(parents=True, exist_ok=True)
    with content:
        found, size = _copied(content, None if place is not None or path.exists() else path)
    if found != digest:
        path.unlink(missing_ok=True)
        raise Corrupt(f"{source.what}: {name} has the digest {found}, {digest} expected", hint=_AGAIN)
    if place is not None and not path.exists():
        path.symlink_to(place)
    return size


def _copied(source: IO[bytes], path: Path | None) -> tuple[str, int]:
    """Digest and size, and a copy if a path is given."""
    state, size = sha256(), 0
    with path.open("xb") if path is not None else nullcontext() as target:
        while chunk := source.read(_CHUNK):
            state.update(chunk)
            size += len(chunk)
            if target is not None:
                target.write(chunk)
    return PREFIX + state.hexdigest(), size
