"""Artifacts in a folder: `ab/cdef…` for the digest `sha256:abcdef…`.

A file appears under its name at once and whole, or not at all: it is written beside, flushed, and renamed. What a killed process
leaves behind bears no digest's name, so nobody sees it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from shutil import copyfileobj
from tempfile import NamedTemporaryFile
from typing import IO

from lockgate.integrations.local.durable import flush_folder
from lockgate.kernel.digest import PREFIX, digest_bytes, digest_file, digits
from lockgate.kernel.errors import Corrupt, NotFound, Unavailable

UNFINISHED = ".unfinished-"  # how the names of files begin that are being written
_CHUNK = 1 << 20
_READ_ONLY = 0o444
_HINT = "Run the pipeline again, or restore it from a backup."


class LocalArtifacts:
    """A ports.artifacts.ArtifactStore, for any number of processes at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, digest: str) -> Path:
        """Where the artifact lies, or would; its content is not verified.

        Raises:
            Invalid: not a digest.
        """
        name = digits(digest)
        return self._folder / name[:2] / name[2:]

    def put(self, content: bytes) -> str:
        digest = digest_bytes(content)
        if not self._whole(digest):
            self._keep([content])
        return digest

    def put_file(self, path: Path) -> str:
        with path.open("rb") as file:
            return self._keep(iter(lambda: file.read(_CHUNK), b""))

    def get(self, digest: str) -> bytes:
        try:
            content = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise self._missing(digest) from None
        self._check(digest, digest_bytes(content))
        return content

    def copy(self, digest: str, path: Path) -> None:
        """A second name of the same file where the file system can give one, else a copy."""
        if not self.has(digest):
            raise self._missing(digest)
        with _told(path.parent):
            _second(self.path(digest), path)
        try:
            self._check(digest, digest_file(path))
        except Corrupt:
            path.unlink()
            raise

    def has(self, digest: str) -> bool:
        return self.path(digest).is_file()

    def _missing(self, digest: str) -> NotFound:
        return NotFound(f"there is no artifact {digest} in {self._folder}", hint=_HINT)

    def _check(self, digest: str, found: str) -> None:
        if found != digest:
            raise Corrupt(f"artifact {digest} in {self._folder}: its bytes are {found}", hint=_HINT)

    def _whole(self, digest: str) -> bool:
        """Whether it is there undamaged: keeping a damaged artifact again mends it."""
        return self.has(digest) and digest_file(self.path(digest)) == digest

    def _keep(self, chunks: Iterable[bytes]) -> str:
        state = sha256()
        with _told(self._folder), _unfinished(self._folder) as (file, finish):
            for chunk in chunks:
                state.update(chunk)
                file.write(chunk)
            digest = PREFIX + state.hexdigest()
            finish(self.path(digest))
        return digest


@contextmanager
def _unfinished(folder: Path) -> Iterator[tuple[IO[bytes], Callable[[Path], None]]]:
    """A new file without a digest's name, and what gives it one; without that it is gone at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder, prefix=UNFINISHED, delete=False) as file:
        try:
            yield file, lambda path: _finish(file, path)
        finally:
            with suppress(FileNotFoundError):  # finished: it has its name
                Path(file.name).unlink()


def _second(source: Path, path: Path) -> None:
    try:
        path.hardlink_to(source)
    except FileExistsError:
        raise
    except OSError:  # another file system, or one without second names
        with source.open("rb") as read, path.open("xb") as written:
            copyfileobj(read, written, _CHUNK)
        path.chmod(_READ_ONLY)


def _finish(file: IO[bytes], path: Path) -> None:
    file.flush()
    os.fchmod(file.fileno(), _READ_ONLY)
    os.fsync(file.fileno())
    path.parent.mkdir(exist_ok=True)
    Path(file.name).replace(path)
    flush_folder(path.parent)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"artifacts cannot be kept in {folder}: {error.strerror}", hint="Check its space and rights."
        ) from error
