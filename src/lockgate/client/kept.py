"""What a subscriber keeps on disk, so that it answers at once when it starts again, with or without a network.

    channels/MODEL@ENV.json          what answers now, or did at last: as it was signed
    channels/MODEL@ENV.before.json   what answered before
    channels/MODEL@ENV.shown.json    the newest that was ever believed here, ready or not: an older one is a replay
    artifacts/ab/cdef…               what these name; a name is given to verified content only

It is laid out as every source is, so that one subscriber's folder can be another's source. Several subscribers may share one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import msgspec

from lockgate.boundary.pointers import FOLDER, Pointer
from lockgate.boundary.routes import Revision
from lockgate.client.pointed import unverified
from lockgate.kernel.digest import PREFIX, digits
from lockgate.kernel.errors import Corrupt, Invalid, Unavailable

_ARTIFACTS, _PARTIAL, _LOCK = "artifacts", ".partial-", ".lock"
_PATIENCE = 0.1  # seconds between two tries to get the lock


class Seen(msgspec.Struct, frozen=True, order=True):
    """issued_at: Unix seconds, by the publisher's clock; of two pointers with one revision the later one counts."""

    revision: Revision = Revision()
    issued_at: float = 0.0


def seen_in(pointer: Pointer) -> Seen:
    return Seen(pointer.revision, pointer.issued_at)


class Kept:
    """folder: is made. channel: a channel's name."""

    def __init__(self, folder: Path, channel: str) -> None:
        self.artifacts = folder / _ARTIFACTS
        self._channels = folder / FOLDER
        self._lock = folder / _LOCK
        self._pointer = self._channels / f"{channel}.json"
        self._before = self._channels / f"{channel}.before.json"
        self._shown = self._channels / f"{channel}.shown.json"
        with telling(folder):
            for one in (self.artifacts, self._channels):
                one.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self, stopping: Event) -> Iterator[None]:
        """One at a time writes here, over all processes that share the folder; who is killed lets go.

        Raises:
            Unavailable: `stopping` was set while another wrote, or there can be no lock.
        """
        with telling(self._lock.parent):
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _taken(descriptor):
                if stopping.wait(_PATIENCE):
                    raise Unavailable(f"{self._lock.parent} is in use by another subscriber")
            try:
                yield
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing it would not do while a child that was forked meanwhile has it
        finally:
            os.close(descriptor)

    def path(self, digest: str) -> Path:
        """Where the artifact lies, or will. Raises Invalid if it is no digest."""
        name = digits(digest)
        return self.artifacts / name[:2] / name[2:]

    def partial(self, digest: str) -> Path:
        """What has come of it so far."""
        return self.artifacts / (_PARTIAL + digits(digest))

    def pointers(self) -> list[bytes]:
        """What answered at last, and what answered before; each if it is there."""
        return [content for path in (self._pointer, self._before) if (content := _read(path)) is not None]

    def keep(self, content: bytes) -> None:
        """The pointer that answers from now on.

        Raises:
            Unavailable: it cannot be written.
        """
        former = _read(self._pointer)
        if former is not None and former != content and unverified(former) is not None:
            write(self._before, former)
        write(self._pointer, content)

    def seen(self) -> Seen:
        """
        Raises:
            Corrupt: what is there cannot be read.
        """  # noqa: D212 - there is nothing else to say
        content = _read(self._shown)
        pointer = unverified(content) if content is not None else None
        if content is not None and pointer is None:
            raise Corrupt(f"{self._shown} cannot be read: whether an old pointer is put back cannot be told by it")
        return seen_in(pointer) if pointer is not None else Seen()

    def note(self, content: bytes) -> None:
        """A pointer that is newer than any before; on the disk before anything is done about it.

        So no restart takes an older one for news, and what is being fetched is not swept away.

        Raises:
            Unavailable: it cannot be written.
        """
        write(self._shown, content)

    def all_pointers(self) -> list[bytes]:
        """Of every channel that is followed here: what answers, what answered before, what is on its way."""
        return [content for path in sorted(self._channels.glob("*.json")) if (content := _read(path)) is not None]

    def sweep(self, named: frozenset[str]) -> None:
        """Remove the artifacts whose digest is not among `named`, what came of them in part, and what a killed writer left.

        With the lock held, so that nobody writes meanwhile.
        """
        for draft in self._channels.glob(".*.json.*"):
            with suppress(OSError):
                draft.unlink()
        for path in [*self.artifacts.glob("??/*"), *self.artifacts.glob(_PARTIAL + "*")]:
            name = path.name.removeprefix(_PARTIAL) if path.parent == self.artifacts else path.parent.name + path.name
            if PREFIX + name not in named:
                with suppress(OSError):  # it is in the way of nobody, and the next sweep tries again
                    path.unlink()


def write(path: Path, content: bytes) -> None:
    """Whole or not at all, and on the disk when it returns.

    Raises:
        Unavailable: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with telling(path.parent):
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        flush(path.parent)


def flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def telling(folder: Path) -> Iterator[None]:
    """What the disk refuses, as an error that says where."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written to: {error.strerror}", hint="Check its space and rights.") from error


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error
