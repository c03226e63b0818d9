"""Packaged models in an image that is one file, as `lockgate package --as image` wrote it.

Only what is needed to serve them is read: the index, the manifest, and the one layer that holds models, which is the last and not
compressed. What an engine or a registry wrote again is another file, which is not read here. Nothing is unpacked to a name of it.

Source: OCI Image Format Specification 1.1 (image-layout.md, manifest.md).
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from lockgate.boundary.checking import Members
from lockgate.kernel.digest import PREFIX, digest_bytes, digits, short
from lockgate.kernel.errors import Corrupt, Invalid, NotFound

FOLDER = "model"  # of an image, with a folder for each model
TRUSTED = "etc/lockgate/"  # what else lies in their layer: whose keys vouch for them
TITLE = "dev.lockgate.layer"  # an annotation: what a layer of ours is
MODELS = "models"  # the title of the layer that holds them
INDEX = "index.json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
REF_NAME = "org.opencontainers.image.ref.name"
_MAGIC, _MAGIC_AT = b"ustar", 257
_GZIP = b"\x1f\x8b"
_MOST_MEMBERS = 10_000
_LONGEST = 4 << 20  # bytes of a document
_CHUNK = 1 << 20
_OURS = "Give the file as `lockgate package --as image` wrote it, or a data file: lockgate package MODEL VERSION --as data."
_AGAIN = "It was cut short or altered: fetch it again."

T = TypeVar("T")


class _Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    digest: str
    media_type: str = ""
    annotations: dict[str, str] = {}


class _Index(msgspec.Struct, frozen=True):
    manifests: tuple[_Descriptor, ...]


class _Manifest(msgspec.Struct, frozen=True):
    layers: tuple[_Descriptor, ...]


class ImageSource:
    """One model of an image: an `unpacking.Source`."""

    def __init__(self, what: str, archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> None:
        self.what = what
        self._archive = archive
        self._members = members

    def open(self, name: str) -> IO[bytes] | None:
        member = self._members.get(name)
        return self._archive.extractfile(member) if member is not None else None

    def place(self, name: str) -> Path | None:  # noqa: ARG002 - as other sources
        return None

    def members(self) -> Members:
        """All of them, for a check of their signature."""
        digests = {name: _digest(self._opened(name)) for name in self._members}
        sizes = {name: one.size for name, one in self._members.items()}
        return Members(digests, sizes, lambda name: self._opened(name).read(_LONGEST * 16))

    def _opened(self, name: str) -> IO[bytes]:
        file = self.open(name)
        if file is None:
            raise Corrupt(f"{self.what}: {name} is missing", hint=_AGAIN)
        return file


def is_image(path: Path) -> bool:
    """Whether it is a tar file, or one that was compressed; which image it is, is not looked at."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        begins = file.read(_MAGIC_AT + len(_MAGIC))
    return begins[_MAGIC_AT:] == _MAGIC or begins.startswith(_GZIP)


@contextmanager
def opened(path: Path) -> Iterator[list[ImageSource]]:
    """Its models, by name.

    Raises:
        NotFound: there is no such file. Corrupt: it is cut short or altered. Invalid: it is no image of ours as it was written.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            layer = _layer(path, archive, _named(archive))
            with tarfile.open(fileobj=layer, mode="r:") as models:
                yield _sources(path, models)
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except tarfile.ReadError as error:
        with path.open("rb") as file:
            if file.read(len(_GZIP)) == _GZIP:
                raise Invalid(f"{path.name} is compressed, an image as it was packaged expected", hint=_OURS) from error
        raise Corrupt(f"{path.name} is no whole image: {error}", hint=_AGAIN) from error
    except (tarfile.TarError, EOFError) as error:
        raise Corrupt(f"{path.name} is no whole image: {error}", hint=_AGAIN) from error


def _layer(path: Path, archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> IO[bytes]:
    """The one with the models, whose bytes are what its digest says."""
    index = _document(path, archive, members, INDEX, _Index)
    images = [one for one in index.manifests if REF_NAME in one.annotations]
    if len(images) != 1:
        raise Invalid(f"{path.name}: {len(images)} named images found, one expected", hint=_OURS)
    layers = _document(path, archive, members, images[0].digest, _Manifest).layers
    if not layers or layers[-1].annotations.get(TITLE) != MODELS:
        raise Invalid(f"{path.name} is no image of packaged models, or was written again by an engine", hint=_OURS)
    if layers[-1].media_type != LAYER:
        raise Invalid(f"{path.name}: its layers are compressed, so it was written again by an engine", hint=_OURS)
    file = _content(path, archive, members, _place(path, layers[-1].digest))
    if _digest(file) != layers[-1].digest:
        raise Corrupt(f"{path.name}: the layer of its models was altered", hint=_AGAIN)
    file.seek(0)
    return file


def _document(path: Path, archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], wanted: str, kind: type[T]) -> T:
    """wanted: its name, or its digest, which it must have."""
    named = wanted == INDEX
    content = _content(path, archive, members, wanted if named else _place(path, wanted)).read(_LONGEST)
    if not named and digest_bytes(content) != wanted:
        raise Corrupt(f"{path.name}: {short(wanted)} was altered", hint=_AGAIN)
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"{path.name}: {wanted:.80} cannot be read: {error}", hint=_AGAIN) from error


def _content(path: Path, archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], name: str) -> IO[bytes]:
    file = archive.extractfile(members[name]) if name in members and members[name].isfile() else None
    if file is None:
        raise Invalid(f"{path.name} holds no {name:.100}, so it is no image of packaged models", hint=_OURS)
    return file


def _place(path: Path, digest: str) -> str:
    try:
        return f"blobs/sha256/{digits(digest)}"
    except Invalid as error:
        raise Corrupt(f"{path.name}: {error.message}", hint=_AGAIN) from error


def _sources(path: Path, models: tarfile.TarFile) -> list[ImageSource]:
    found: dict[str, dict[str, tarfile.TarInfo]] = {}
    for name, member in _named(models).items():
        folder, model, rest = [*name.split("/", 2), "", ""][:3]
        if member.isdir() or name.startswith(TRUSTED):
            continue
        if folder != FOLDER or not rest or not member.isfile():
            raise Corrupt(f"{path.name}: {name:.200} belongs to no model", hint=_AGAIN)
        found.setdefault(model, {})[rest] = member
    if not found:
        raise Invalid(f"{path.name}: no packaged model found in its layer", hint=_OURS)
    return [ImageSource(model, models, found[model]) for model in sorted(found)]


def _named(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    found: dict[str, tarfile.TarInfo] = {}
    for member in archive:
        if member.name in found:
            raise Corrupt(f"{member.name:.200} stands twice in the image", hint=_AGAIN)
        if len(found) >= _MOST_MEMBERS:
            raise Invalid(f"more than {_MOST_MEMBERS} members found in the image", hint=_OURS)
        found[member.name] = member
    return found


def _digest(file: IO[bytes]) -> str:
    state = sha256()
    while chunk := file.read(_CHUNK):
        state.update(chunk)
    return PREFIX + state.hexdigest()
