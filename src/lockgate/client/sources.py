"""Where a channel is fetched from: a pointer that may have changed, and artifacts by their digest. Nothing of it is believed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from io import FileIO
from pathlib import Path
from typing import NamedTuple, Protocol

from lockgate.boundary.pointers import FOLDER
from lockgate.kernel.digest import digits
from lockgate.kernel.errors import Corrupt, NotFound, Unavailable

LARGEST_POINTER = 1 << 20  # bytes


class Offered(NamedTuple):
    """A pointer as it came. tag: what to ask with the next time."""

    content: bytes
    tag: str


class Reading(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class Stream(NamedTuple):
    """An artifact from the byte `first` on. size: of the whole, if the source says so."""

    file: Reading
    first: int
    size: int | None


class Source(Protocol):
    """Used by one thread."""

    @property
    def waits(self) -> bool:
        """Whether it answers a question for news when there are some, and not at once."""
        ...

    def pointer(self, channel: str, tag: str, wait: float) -> Offered | None:
        """The channel's pointer; None if it is the one that has this tag.

        wait: seconds in which a source that can may wait for another one.

        Raises:
            NotFound: there is no such channel. Unavailable: no answer now. Corrupt: what came cannot be a pointer.
        """
        ...

    def artifact(self, digest: str, first: int) -> AbstractContextManager[Stream]:
        """From the byte `first` on, or from the beginning where the source gives no parts.

        Raises:
            NotFound: it is not there. Unavailable: no answer now.
        """
        ...

    def interrupt(self) -> None:
        """From any thread: what is under way ends as if nobody answered."""
        ...

    def close(self) -> None: ...


class FolderSource:
    """A folder in which `channels/` and `artifacts/` lie, as `lockgate channel publish` lays it down."""

    waits = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pointer(self, channel: str, tag: str, wait: float) -> Offered | None:  # noqa: ARG002 - a folder does not wait
        path = self._folder / FOLDER / f"{channel}.json"
        with _opened(path) as (file, status):
            stamp = f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}-{status.st_size}"
            if stamp == tag:
                return None
            content = file.read(LARGEST_POINTER + 1)
        check_size(content, channel)
        return Offered(content, stamp)

    @contextmanager
    def artifact(self, digest: str, first: int) -> Iterator[Stream]:
        name = digits(digest)
        with _opened(self._folder / "artifacts" / name[:2] / name[2:]) as (file, status):
            first = min(first, status.st_size)
            file.seek(first)
            yield Stream(file, first, status.st_size)

    def interrupt(self) -> None:
        """A folder answers at once."""

    def close(self) -> None:
        """Nothing is kept open."""


def check_size(content: bytes, channel: str) -> None:
    """Raises Corrupt if it is too large for a pointer."""
    if len(content) > LARGEST_POINTER:
        raise Corrupt(f"the pointer of {channel} has more than {LARGEST_POINTER} bytes")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[FileIO, os.stat_result]]:
    """A plain file: what waits for somebody to write into it would hold up whoever reads it."""
    try:
        with FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unavailable(f"{path} is no plain file")
            yield file, status
    except FileNotFoundError:
        raise NotFound(f"{path} is not there") from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}") from error
