"""Blobs in a folder by their digests: parts of base images, and layers that were built before.

A blob appears whole under its name or not at all: written beside, flushed, renamed. What a killed process leaves is swept away by
the next one that writes, once it is old enough to be nobody's work.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from lockgate.kernel.digest import PREFIX, digits
from lockgate.kernel.errors import Corrupt, Unavailable

CHUNK = 1 << 20
LARGEST = 20 << 30  # bytes of a blob
_UNFINISHED = ".unfinished-"
_FORGOTTEN = 86_400.0  # seconds


class Blobs:
    """For any number of processes at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "blobs"
        self._notes = folder / "notes"

    def path(self, digest: str) -> Path:
        return self._folder / digits(digest)

    def has(self, digest: str) -> bool:
        return self.path(digest).is_file()

    def size(self, digest: str) -> int:
        return self.path(digest).stat().st_size

    def keep(self, chunks: Iterable[bytes], expected: str | None = None, limit: int = LARGEST) -> tuple[str, int]:
        """Its digest and size in bytes. expected: the digest that it must have.

        Raises:
            Corrupt: it is another, or larger than the limit. Unavailable: it cannot be written.
        """
        size, state = 0, sha256()
        with self._unfinished() as (file, finish):
            for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise Corrupt(f"a blob is larger than the {limit} bytes that were expected of it")
                state.update(chunk)
                file.write(chunk)
            digest = _checked(PREFIX + state.hexdigest(), expected)
            if not self.has(digest):
                finish(self.path(digest))
        return digest, size

    def made(self, write: Callable[[IO[bytes]], str]) -> str:
        """The same for what somebody writes, who says its digest."""
        with self._unfinished() as (file, finish):
            digest = write(file)
            finish(self.path(digest))
        return digest

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Its bytes; a damaged one is removed, so that it is made or fetched again.

        Raises:
            Corrupt: at the end, if they are not what the digest says.
        """
        state = sha256()
        with self.path(digest).open("rb") as file:
            while chunk := file.read(CHUNK):
                state.update(chunk)
                yield chunk
        if PREFIX + state.hexdigest() != digest:
            self.path(digest).unlink(missing_ok=True)
            raise Corrupt(f"{digest} in {self._folder} was damaged, and is removed", hint="Build again: it is made anew.")

    def read(self, digest: str) -> bytes:
        return b"".join(self.chunks(digest))

    def note(self, key: str) -> bytes | None:
        """What was noted under a key, which is a digest of whatever it depends on."""
        try:
            return (self._notes / digits(key)).read_bytes()
        except FileNotFoundError:
            return None

    def take_note(self, key: str, content: bytes) -> None:
        with self._unfinished() as (file, finish):
            file.write(content)
            finish(self._notes / digits(key))

    @contextmanager
    def _unfinished(self) -> Iterator[tuple[IO[bytes], Callable[[Path], None]]]:
        try:
            for folder in (self._folder, self._notes):
                folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            with NamedTemporaryFile(dir=self._folder, prefix=_UNFINISHED, delete=False) as file:
                try:
                    yield file, lambda path: finish(file, path)
                finally:
                    Path(file.name).unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(f"{self._folder}: {error.strerror or error}", hint="Check its space and rights.") from error

    def _sweep(self) -> None:
        for left in self._folder.glob(f"{_UNFINISHED}*"):
            if time.time() - left.stat().st_mtime > _FORGOTTEN:  # noqa: TID251 - compared with the file system's own clock
                left.unlink(missing_ok=True)


def finish(file: IO[bytes], path: Path) -> None:
    """Give a file that was written its name: at once and whole."""
    file.flush()
    os.fchmod(file.fileno(), 0o644)
    os.fsync(file.fileno())
    Path(file.name).replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checked(found: str, expected: str | None) -> str:
    if expected is not None and found != expected:
        raise Corrupt(f"{expected} was expected, and {found} came", hint="Try again; if it stays so, the source is damaged.")
    return found
