"""Folders of runs. A run's process holds a lock on a file in its folder; the system lets go of it however the process ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lockgate.kernel.errors import Conflict

_LOCK = "held"


class LocalRunFolders:
    """A ports.run_folders.RunFolders. `folder` is the home's `runs`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def occupy(self, run: str) -> Iterator[Path]:
        folder = self._folder / run
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"{run} is carried out by another process", hint="Wait until it has ended.") from None
            yield folder

    def abandoned(self, run: str) -> bool:
        path = self._folder / run / _LOCK
        if not path.is_file():
            return False
        with path.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True
