"""What a worker tells its supervisor of itself: a few numbers in a small file, read and written without waiting."""

from __future__ import annotations

import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_FORM = struct.Struct("<qddd")


class Load(NamedTuple):
    """delay: seconds that one more request would wait for its turn. busy: the share of a core that the event loop took.

    pid tells a worker from the one that had its place before; at: monotonic seconds, the same clock for all processes.
    """

    pid: int
    at: float
    delay: float
    busy: float


class Gauge:
    """Written by one worker, a few times a second."""

    def __init__(self, folder: Path, worker: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"{worker}.load").open("wb", buffering=0)

    def write(self, load: Load) -> None:
        with suppress(OSError):  # a word that is missing harms nobody
            self._file.seek(0)
            self._file.write(_FORM.pack(*load))

    def close(self) -> None:
        self._file.close()


def read(folder: Path, worker: str) -> Load | None:
    """The worker's last word; None if it has said nothing yet."""
    try:
        content = (folder / f"{worker}.load").read_bytes()
    except FileNotFoundError:
        return None
    return Load(*_FORM.unpack(content)) if len(content) == _FORM.size else None


def anybody_answered(folder: Path) -> bool:
    """Whether any worker of this server has begun to answer: its supervisor empties the folder when it starts."""
    return next(folder.glob("*.load"), None) is not None


class Busyness:
    """The share of a core that the calling thread took since it was last asked. Each reading is of the thread that asks."""

    def __init__(self) -> None:
        self._spent, self._at = time.thread_time(), time.monotonic()

    def take(self) -> float:
        spent, at = time.thread_time(), time.monotonic()
        share = (spent - self._spent) / max(at - self._at, 1e-9)
        self._spent, self._at = spent, at
        return min(1.0, share)
