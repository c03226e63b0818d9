"""A folder of the user's, into which forms come as whole files.

They are built in a hidden folder within it, so that the last step is a rename. A process that is killed leaves its hidden folder
behind; the next one removes it, which the lock that died with its owner allows.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from lockgate.integrations.local.durable import flush_folder
from lockgate.kernel.errors import Unavailable

_NEW = ".lockgate-new-"  # until it is locked
_DRAFT = ".lockgate-draft-"


class LocalOutbox:
    """A ports.outbox.Outbox. folder: made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def draft(self) -> Iterator[Path]:
        with _told(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            path, lock = _locked(self._folder)
        try:
            _sweep(self._folder)
            yield path
        finally:
            rmtree(path, ignore_errors=True)
            os.close(lock)

    def place(self, file: Path) -> Path:
        placed = self._folder / file.name
        with _told(self._folder):
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
            file.replace(placed)
            flush_folder(self._folder)
        return placed


def _locked(folder: Path) -> tuple[Path, int]:
    """A new folder and the lock on it, which lasts as long as this process at most."""
    new = Path(mkdtemp(prefix=_NEW, dir=folder))
    lock = os.open(new, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return new.rename(new.with_name(new.name.replace(_NEW, _DRAFT))), lock


def _sweep(folder: Path) -> None:
    for path in folder.glob(f"{_DRAFT}*"):
        with suppress(OSError):  # it is in use, another's, or gone by now
            lock = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                rmtree(path)
            finally:
                os.close(lock)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"nothing can be put into {folder}: {error.strerror}", hint="Check its space and rights.") from error
