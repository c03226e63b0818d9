"""An image in a file, checked from its bytes and public keys alone: its blobs, who signed it, and the models in its layers.

What the image's digest covers, which is the base, the libraries and lockgate itself, is as it was when it was signed; that any of
it is good is not shown by that. The name and tag in the file are not signed: registries give them.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO

import msgspec

from lockgate.boundary import bundles, statements
from lockgate.boundary.checking import NOT_SIGNED, Checked, CheckedPackage, Members, Steps, check_bundle, meant
from lockgate.boundary.envelopes import IN_TOTO
from lockgate.boundary.trust import Trust, TrustedKey
from lockgate.integrations.oci.archive import image_in
from lockgate.integrations.oci.blobs import CHUNK
from lockgate.integrations.oci.contained import MODEL
from lockgate.integrations.oci.media import MANIFEST, NOTHING, Descriptor, Index, Manifest, decode
from lockgate.integrations.oci.plain import plain
from lockgate.integrations.oci.reading import INDEX, SAVED, Files, blob, chunks, document, opened, place
from lockgate.kernel.digest import PREFIX, digest_bytes, short
from lockgate.kernel.errors import Corrupt, Invalid, LockgateError, Refused

IMAGE = "image"
_NAMING = ".name"  # as containerd's annotation of a name ends, and that of the image format
_WHITEOUT = ".wh."
_MOST_KEPT = 64 << 20  # bytes of a member that is read whole
_KEPT = (bundles.RELEASE, bundles.MANIFEST, bundles.PROVENANCE, bundles.SBOM, bundles.SIGNATURE)
_MOST_BYTES = 64 << 30  # of all that a layer unpacks to


def check_image(path: Path, trust: Trust) -> Checked:
    """Raises NotFound if there is no such file; whatever else is wrong with it stands in the steps."""
    steps = Steps()
    try:
        with opened(path) as files:
            return _checked(steps, path, files, trust)
    except (Corrupt, Invalid) as error:
        steps.fail("image", error)
        return Checked(IMAGE, path.name, "", tuple(steps.done))


def _checked(steps: Steps, path: Path, files: Files, trust: Trust) -> Checked:
    found, index = image_in(files, path)
    image = decode(blob(files, found.digest), Manifest, "the image's manifest")
    steps.look("blobs", lambda: _blobs(files, found, image))
    steps.look(SAVED, lambda: _saved(files, image))
    papers = steps.look(INDEX, lambda: _papers(files, found, index)) or []
    models = steps.look("models", lambda: _models(files, image)) or {}
    packages, signers = [], []
    for name, members in sorted(models.items()):
        prefix = f"{name}: "
        package, _ = check_bundle(steps, members, members, bundles.SIGNATURE, set(), trust, prefix)
        packages.append(package)
        signers.append(steps.look(f"{prefix}image", partial(_signed, papers, found.digest, package, trust)))
    return Checked(IMAGE, path.name, found.digest, tuple(steps.done), tuple(packages), signers[0] if signers else None)


def _blobs(files: Files, found: Descriptor, image: Manifest) -> tuple[bool, str]:
    """Each is there, and what its digest says."""
    for one in (found, image.config, *image.layers):
        state, size = sha256(), 0
        for chunk in chunks(files, place(one.digest)):
            state.update(chunk)
            size += len(chunk)
        if PREFIX + state.hexdigest() != one.digest or size != one.size:
            raise Corrupt(f"blob {short(one.digest)} was altered")
    return True, f"{len(image.layers)} layers, each what its digest says"


def _saved(files: Files, image: Manifest) -> tuple[bool, str]:
    """By it `docker load` finds the image: it must be this one."""
    try:
        told = msgspec.json.decode(plain(document(files, SAVED), SAVED), type=list[_Saved])
    except msgspec.DecodeError as error:
        raise Corrupt(f"it cannot be read: {error}") from error
    wanted = place(image.config.digest), tuple(place(one.digest) for one in image.layers)
    if [(one.config, one.layers) for one in told] != [wanted]:
        raise Corrupt("it names another image than the one that is signed")
    return True, "docker load finds the same image"


class _Saved(msgspec.Struct, frozen=True):
    config: str = msgspec.field(name="Config")
    layers: tuple[str, ...] = msgspec.field(name="Layers")


def _papers(files: Files, found: Descriptor, index: Index) -> tuple[list[bytes], str]:
    """The envelopes that lie beside the image, whose subject it is; nothing is believed of them yet. Nobody signs the index, so
    there may be nothing in it that another program would take for an image, or find by a name.
    """
    plain(document(files, INDEX), INDEX)
    envelopes = []
    for one in index.manifests:
        if one is not found:
            beside = _paper(files, one)
            if beside is None or beside.subject is None or beside.subject.digest != found.digest:
                raise Corrupt(f"beside the image lies {short(one.digest)}, which is no paper about it")
            envelopes += [blob(files, layer.digest) for layer in beside.layers]
    return envelopes, f"one image, and {len(envelopes)} papers about it"


def _paper(files: Files, one: Descriptor) -> Manifest | None:
    """Its manifest; None where something else could be seen in it."""
    if one.media_type != MANIFEST or one.platform is not None or any(name.endswith(_NAMING) for name in one.annotations):
        return None
    found = decode(plain(blob(files, one.digest), "a paper's manifest"), Manifest, "a paper's manifest")
    empty = found.config.digest == digest_bytes(NOTHING)  # what has no config cannot be run
    return found if empty and found.media_type == MANIFEST and found.artifact_type == IN_TOTO else None


def _signed(papers: Iterable[bytes], digest: str, package: CheckedPackage, trust: Trust) -> tuple[TrustedKey, str]:
    """Somebody trusted said that this image is a release of the package."""
    why: LockgateError = Refused(NOT_SIGNED)
    for paper in papers:
        try:
            stated, key = statements.hear_about(paper, statements.RELEASE, digest, trust, "the image")
            if package.release is not None:
                meant(stated, package.release)
        except (Corrupt, Refused) as error:
            why = error if "statement of" not in error.message else why
        else:
            return key, f"{short(digest)} is signed by {key.name or key.key}"
    raise why


def _models(files: Files, image: Manifest) -> tuple[dict[str, Members], str]:
    """By name, as a container sees them: what a layer puts over what lies below it."""
    found = {name: content for layer in image.layers for name, content in _in_layer(files, layer)}
    folders = {name.split("/")[1] for name in found if name.count("/") > 1}
    if stray := [name for name in found if name.count("/") < 2]:  # noqa: PLR2004 - model/NAME/MEMBER
        raise Corrupt(f"{stray[0]:.200} belongs to no model")
    if not folders:
        raise Invalid("no packaged model found in its layers")
    return {one: _members(found, f"{MODEL}/{one}/") for one in folders}, ", ".join(sorted(folders))


class _Found(msgspec.Struct, frozen=True):
    """content: of small files that are looked into."""

    digest: str
    size: int
    content: bytes = b""


def _members(found: dict[str, _Found], prefix: str) -> Members:
    own = {name.removeprefix(prefix): one for name, one in found.items() if name.startswith(prefix)}
    return Members(
        {name: one.digest for name, one in own.items()},
        {name: one.size for name, one in own.items()},
        lambda name: own[name].content,
    )


def _in_layer(files: Files, layer: Descriptor) -> Iterator[tuple[str, _Found]]:
    file = files.open(place(layer.digest))
    if file is None:
        raise Corrupt(f"layer {short(layer.digest)} is missing")
    with file:
        packed = gzip.GzipFile(fileobj=file) if layer.media_type.endswith("+gzip") else file
        try:
            with tarfile.open(fileobj=_Bounded(packed), mode="r|", bufsize=CHUNK) as archive:
                yield from _in_archive(archive)
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Corrupt(f"layer {short(layer.digest)} is no whole tar file: {error}") from error


def _in_archive(archive: tarfile.TarFile) -> Iterator[tuple[str, _Found]]:
    for member in archive:
        name = member.name.removeprefix("./").rstrip("/")
        if name != MODEL and not name.startswith(f"{MODEL}/"):
            if name in (f"{_WHITEOUT}{MODEL}", f"{_WHITEOUT}{_WHITEOUT}.opq"):
                raise Corrupt(f"a layer removes /{MODEL} of those below it")
            continue
        if member.isdir():
            continue
        if not member.isreg() or _WHITEOUT in name:
            raise Corrupt(f"{name:.200} is no plain file")
        source = archive.extractfile(member)
        if source is not None:
            yield name, _read(source, keep=name.split("/", 2)[-1] in _KEPT)


def _read(source: IO[bytes], *, keep: bool) -> _Found:
    state, size, kept = sha256(), 0, bytearray()
    while chunk := source.read(CHUNK):
        state.update(chunk)
        size += len(chunk)
        if keep:
            kept += chunk
            if size > _MOST_KEPT:
                raise Corrupt(f"a paper of more than {_MOST_KEPT} bytes found")
    return _Found(PREFIX + state.hexdigest(), size, bytes(kept))


class _Bounded(io.RawIOBase):
    """Reads on, up to what no honest layer exceeds."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file = file
        self._left = _MOST_BYTES

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise Invalid(f"a layer of more than {_MOST_BYTES} bytes found")
        return content
