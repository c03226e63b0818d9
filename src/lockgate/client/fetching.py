"""Bring an artifact here: what came before is kept and continued, hashed as it comes, and named only when it is the right one."""

from __future__ import annotations

import errno
import http.client
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from shutil import disk_usage
from typing import IO, Protocol

from lockgate.client.kept import Kept, flush, telling
from lockgate.client.sources import Reading, Source, Stream
from lockgate.kernel.digest import PREFIX
from lockgate.kernel.errors import Corrupt, Unavailable

_CHUNK = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class _Hash(Protocol):
    def update(self, data: memoryview, /) -> None: ...

    def hexdigest(self) -> str: ...


class Fetching:
    """stopped: asked now and then; what has come so far is continued the next time."""

    def __init__(self, kept: Kept, source: Source, stopped: Callable[[], bool]) -> None:
        self._kept = kept
        self._source = source
        self._stopped = stopped

    def fetch(self, digest: str, most: int, size: int | None = None) -> Path:
        """Where it lies, as it may have before. most: bytes that it may have. size: those that it must have, if that is known.

        Raises:
            NotFound, Unavailable: it cannot be had now. Corrupt: what came is not what the digest names; it is gone.
        """
        path = self._kept.path(digest)
        if path.is_file():
            return path
        partial = self._kept.partial(digest)
        with telling(partial.parent), partial.open("a+b", buffering=0) as file:
            state, there = _hashed(file, most)
        try:
            with self._source.artifact(digest, there) as stream:
                found = self._continue(digest, partial, stream, state if stream.first == there else sha256(), most, size)
        except Corrupt:
            partial.unlink(missing_ok=True)
            raise
        if found != digest:
            partial.unlink(missing_ok=True)
            raise Corrupt(f"artifact {digest}: what came is {found}", hint="The source holds something else under its name.")
        with telling(path.parent):
            path.parent.mkdir(exist_ok=True)
            partial.replace(path)
            flush(path.parent)
        return path

    def _continue(self, digest: str, partial: Path, stream: Stream, state: _Hash, most: int, size: int | None) -> str:
        """The digest of what is there in the end; the partial file stands where the stream begins."""
        expected = size if size is not None else stream.size
        if (stream.size is not None and stream.size > most) or (None not in (size, stream.size) and stream.size != size):
            raise Corrupt(
                f"artifact {digest}: {stream.size} bytes offered, {size if size is not None else f'at most {most}'} expected"
            )
        if expected is not None:
            _check_space(partial.parent, expected - stream.first)
        try:
            with partial.open("r+b", buffering=0) as file:
                file.truncate(stream.first)
                file.seek(stream.first)
                come = self._pour(stream, file, state, most - stream.first) + stream.first
                os.fsync(file.fileno())
        except OSError as error:
            if error.errno in _FULL:
                partial.unlink(missing_ok=True)  # the program beside us needs the space too
            raise Unavailable(
                f"{partial.parent} cannot be written to: {error.strerror}", hint="Check its space and rights."
            ) from error
        if expected is not None and come < expected:
            raise Unavailable(f"artifact {digest}: {come} of {expected} bytes came")
        if come > most or (size is not None and come > size):
            raise Corrupt(f"artifact {digest}: more than {size if size is not None else most} bytes came")
        return PREFIX + state.hexdigest()

    def _pour(self, stream: Stream, file: IO[bytes], state: _Hash, most: int) -> int:
        """The bytes that came: one more than `most` at the most."""
        buffer, come = memoryview(bytearray(_CHUNK)), 0
        while come <= most and (got := _read_into(stream.file, buffer[: min(_CHUNK, most + 1 - come)])):
            if self._stopped():
                raise Unavailable("stopped")
            chunk = buffer[:got]
            state.update(chunk)
            while len(chunk):
                chunk = chunk[file.write(chunk) :]
            come += got
        return come


def _read_into(source: Reading, buffer: memoryview) -> int:
    """What a source breaks off is told apart from what the disk refuses."""
    try:
        return source.readinto(buffer) or 0
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"the source broke off: {error}") from error


def _hashed(file: IO[bytes], most: int) -> tuple[_Hash, int]:
    """What is there already, and how many bytes that is; more than `most` count as none."""
    state, size = sha256(), file.seek(0, os.SEEK_END)
    if size > most:
        return state, 0
    file.seek(0)
    while chunk := file.read(_CHUNK):
        state.update(chunk)
    return state, size


def _check_space(folder: Path, needed: int) -> None:
    with telling(folder):
        free = disk_usage(folder).free
    if needed > free:
        raise Unavailable(f"{folder} has {free:,} bytes free, {needed:,} more are needed", hint="Make space on that disk.")
