"""The files of an image that lies in a tar file or a folder, by their names; whole documents and blobs among them.

A tar file is hostile until its parts have the digests that were named: it is read member by member, and nothing of it becomes a
path here.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from lockgate.integrations.oci.blobs import CHUNK
from lockgate.integrations.oci.media import LONGEST
from lockgate.kernel.digest import digest_bytes, digits
from lockgate.kernel.errors import Corrupt, Invalid, NotFound

LAYOUT, INDEX, SAVED = "oci-layout", "index.json", "manifest.json"
_MOST_MEMBERS = 10_000
HINT = "Save it as one: skopeo copy docker://IMAGE oci-archive:FILE, or docker save IMAGE."


class Files(Protocol):
    def open(self, name: str) -> IO[bytes] | None:
        """None if there is none of that name."""
        ...


@contextmanager
def opened(path: Path) -> Iterator[Files]:
    """
    Raises:
        NotFound: there is nothing. Corrupt: it is no tar file, or cut short. Invalid: it has members that no image has.
    """  # noqa: D212 - there is nothing else to say
    if path.is_dir():
        yield _Folder(path)
        return
    try:
        with tarfile.open(path, "r:") as archive:
            yield _Tar(archive)
    except FileNotFoundError:
        raise NotFound(f"there is no image {path}", hint="Give a tar file or a folder that holds one.") from None
    except (tarfile.TarError, EOFError) as error:
        raise Corrupt(f"{path} is no whole tar file: {error}", hint=HINT) from error


def has(files: Files, name: str) -> bool:
    file = files.open(name)
    if file is not None:
        file.close()
    return file is not None


def document(files: Files, name: str) -> bytes:
    """Raises Corrupt if it is missing, or longer than any honest one."""
    content = next(chunks(files, name, LONGEST + 1), b"")
    if len(content) > LONGEST:
        raise Corrupt(f"{name!r:.200} of the image is larger than {LONGEST} bytes")
    return content


def blob(files: Files, digest: str) -> bytes:
    """A document by its digest.

    Raises:
        Corrupt: as `document`, or its bytes are others.
    """
    content = document(files, place(digest))
    if digest_bytes(content) != digest:
        raise Corrupt(f"{digest} of the image was altered", hint="Build or fetch it again.")
    return content


def chunks(files: Files, name: str, size: int = CHUNK) -> Iterator[bytes]:
    """Raises Corrupt if it is missing."""
    file = files.open(name)
    if file is None:
        raise Corrupt(f"{name!r:.200} is missing in the image", hint=HINT)
    with file:
        while chunk := file.read(size):
            yield chunk


def place(digest: str) -> str:
    """The name of a blob in a layout."""
    return f"blobs/sha256/{digits(digest)}"


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, name: str) -> IO[bytes] | None:
        path = self._folder / name
        inside = not name.startswith("/") and ".." not in PurePosixPath(name).parts
        return path.open("rb") if inside and path.is_file() else None


class _Tar:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._members: dict[str, tarfile.TarInfo] = {}
        for one in _checked(archive):
            name = str(PurePosixPath(one.name))  # as other programs find it
            if one.isfile() and name in self._members:
                raise Corrupt(f"{name!r:.200} stands twice in the image's file", hint=HINT)
            self._members[name] = one

    def open(self, name: str) -> IO[bytes] | None:
        member = self._members.get(name)
        return self._archive.extractfile(member) if member is not None and member.isfile() else None


def _checked(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for count, member in enumerate(archive):
        if member.name.startswith("/") or ".." in PurePosixPath(member.name).parts:
            raise Invalid(f"{member.name!r:.200} found in the image's file, which leads out of it")
        if not (member.isfile() or member.isdir()):
            raise Invalid(f"{member.name!r:.200} in the image's file is a link or a device, a file expected", hint=HINT)
        if count >= _MOST_MEMBERS:
            raise Invalid(f"more than {_MOST_MEMBERS} members found in the image's file")
        yield member
