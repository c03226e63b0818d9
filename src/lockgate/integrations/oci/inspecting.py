"""What a base image has that the files put upon it need: which Python, where, which C library, and which other libraries.

Nothing of it is unpacked.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import PurePosixPath
from typing import IO

import msgspec

from lockgate.integrations.oci.blobs import CHUNK, Blobs
from lockgate.integrations.oci.media import Descriptor, encode
from lockgate.kernel.digest import PREFIX, digest_json
from lockgate.kernel.errors import Corrupt, Invalid

_FORM = 2  # of what is noted
_PYTHON = re.compile(r"(?:usr/local/|usr/|opt/[\w.-]+/)?bin/python(3\.\d{1,2})")
_GLIBC = re.compile(rb"GNU C Library [^\n]{0,200}version 2\.(\d{1,3})")
_LIBC = re.compile(r"(?:.*/)?(?:libc\.so\.6|libc-2\.\d+\.so)")
_MUSL = re.compile(r"(?:.*/)?ld-musl-[\w]+\.so\.1")
_LIBRARY = re.compile(r"(?:.*/)?lib(?:32|64)?/(?:[^/]+/)?([^/]+\.so(?:\.[\w.]+)?)")  # where `ldconfig` looks, or is told to
_LARGEST_LIBC = 32 << 20
_MOST_MEMBERS = 500_000
_MOST_BYTES = 40 << 30  # of all that a layer unpacks to


class Facts(msgspec.Struct, frozen=True):
    """pythons: path of the interpreter by version, as `3.11` → `/usr/local/bin/python3.11`. glibc: minor version of glibc 2.
    libraries: names of shared libraries, as `libgomp.so.1`.
    """

    pythons: dict[str, str] = {}
    glibc: int | None = None
    musl: bool = False
    libraries: frozenset[str] = frozenset()


def inspect(layers: Sequence[Descriptor], diff_ids: Sequence[str], blobs: Blobs) -> Facts:
    """Of all layers together; what was found once is noted by their digests.

    Raises:
        Corrupt: a layer is no whole tar file, or not the one that the image's config names. Invalid: it has members that no image
        may have, or is larger than anything honest.
    """
    key = digest_json([_FORM, [layer.digest for layer in layers], list(diff_ids)])
    noted = blobs.note(key)
    if noted is not None:
        return msgspec.json.decode(noted, type=Facts)
    if len(layers) != len(diff_ids):
        raise Corrupt(f"the base image has {len(layers)} layers, and its config names {len(diff_ids)}")
    facts = Facts()
    for layer, diff_id in zip(layers, diff_ids, strict=True):
        facts = _joined(facts, _look(layer, diff_id, blobs))
    blobs.take_note(key, encode(facts))
    return facts


def _joined(below: Facts, above: Facts) -> Facts:
    glibc = above.glibc if above.glibc is not None else below.glibc
    return Facts({**below.pythons, **above.pythons}, glibc, below.musl or above.musl, below.libraries | above.libraries)


def _look(layer: Descriptor, diff_id: str, blobs: Blobs) -> Facts:
    with blobs.path(layer.digest).open("rb") as file:
        packed = gzip.GzipFile(fileobj=file) if layer.media_type.endswith("+gzip") else file
        content = _Bounded(packed)
        try:
            with tarfile.open(fileobj=content, mode="r|", bufsize=CHUNK) as archive:
                facts = _facts(archive)
            while content.read(CHUNK):
                pass
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Corrupt(f"layer {layer.digest} of the base image is no whole tar file: {error}") from error
    if content.digest != diff_id:
        raise Corrupt(f"layer {layer.digest} of the base image unpacks to {content.digest}, {diff_id} expected")
    return facts


def _facts(archive: tarfile.TarFile) -> Facts:
    pythons: dict[str, str] = {}
    glibc, musl, libraries = None, False, set()
    for member in _checked(archive):
        name = member.name.removeprefix("./")
        if (library := _LIBRARY.fullmatch(name)) and not member.isdir():
            libraries.add(library[1])
        if match := _PYTHON.fullmatch(name):
            pythons[match[1]] = f"/{name}"
        elif _MUSL.fullmatch(name):
            musl = True
        elif _LIBC.fullmatch(name) and member.isfile() and member.size <= _LARGEST_LIBC:
            source = archive.extractfile(member)
            found = _GLIBC.search(source.read()) if source is not None else None
            glibc = int(found[1]) if found else glibc
    return Facts(pythons, glibc, musl, frozenset(libraries))


def _checked(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Raises Invalid where an engine that unpacked it carelessly would write beside its folder."""
    for count, member in enumerate(archive):
        hard = member.linkname if member.islnk() else ""
        for path in filter(None, (member.name, hard)):
            if path.startswith("/") or ".." in PurePosixPath(path).parts:
                raise Invalid(f"{path!r:.200} found in a layer of the base image, which leads out of it", hint=_OTHER)
        if count >= _MOST_MEMBERS:
            raise Invalid(f"more than {_MOST_MEMBERS} members found in a layer of the base image", hint=_OTHER)
        yield member


_OTHER = "Choose another base image."


class _Bounded(io.RawIOBase):
    """Reads on, counts, and knows the digest of what was read."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file = file
        self._state = sha256()
        self._size = 0

    @property
    def digest(self) -> str:
        return PREFIX + self._state.hexdigest()

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._size += len(content)
        if self._size > _MOST_BYTES:
            raise Invalid(f"a layer of the base image unpacks to more than {_MOST_BYTES} bytes", hint=_OTHER)
        self._state.update(content)
        return content
