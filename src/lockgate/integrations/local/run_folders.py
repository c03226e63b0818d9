"""Folders of runs. A run's process holds a lock on a file in its folder; the system lets go of it however the process ends."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lockgate.kernel.errors import Conflict

_LOCK = "held"
_PATIENCE = 1.0  # seconds: who asks whether a run is abandoned holds its lock for a moment


class LocalRunFolders:
    """A ports.run_folders.RunFolders. `folder` is the home's `runs`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def occupy(self, run: str) -> Iterator[Path]:
        folder = self._folder / run
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK).open("w") as lock:
            end = time.monotonic() + _PATIENCE
            while not _hold(lock):
                if time.monotonic() > end:
                    raise Conflict(f"{run} is carried out by another process", hint="Wait until it has ended.")
                time.sleep(0.01)
            yield folder

    def abandoned(self, run: str) -> bool:
        path = self._folder / run / _LOCK
        if not path.is_file():
            return False
        with path.open() as lock:
            return _hold(lock)


def _hold(lock: IO[str]) -> bool:
    """True if the lock is now ours, until the file is closed."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
