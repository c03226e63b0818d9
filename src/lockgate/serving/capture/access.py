"""The access log: one line of JSON for each request, written every 200 ms by another thread; never in the way of an answer.

    HOME/logs/WORKER.access.jsonl         and .1, .2, … behind it: full ones, the newest first

What finds no room in memory, and what the disk refuses, is dropped and counted.
"""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from typing import NamedTuple

import msgspec

from lockgate.kernel.clock import Clock, SystemClock
from lockgate.serving.capture.complaints import Complaints
from lockgate.serving.capture.files import append_whole

ROOM = 20_000  # lines that wait
SIZE = 64 << 20  # bytes after which a file is full
KEPT = 4  # full files that stay
_CHUNK = 256  # lines encoded at a time


class Access(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One request. at: Unix seconds of its answer. seconds: from its arrival. received, sent: bytes of the bodies."""

    at: float
    method: str
    path: str
    status: int
    seconds: float
    peer: str = ""
    received: int = 0
    sent: int = 0
    model: str = ""
    version: int = 0
    request_id: str = ""
    caller: str = ""  # the id of the key that it came with


class Taken(NamedTuple):
    waiting: list[Access]
    refused: int


class AccessLog:
    """`add` and `take` belong to the event loop, `write` and `close` to the writer's thread."""

    def __init__(self, path: Path, *, room: int = ROOM, size: int = SIZE, kept: int = KEPT, clock: Clock | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._room = room
        self._size = size
        self._kept = kept
        self._pending: list[Access] = []
        self._refused = 0
        self._complaints = Complaints("access log not written", clock or SystemClock())
        self._file: FileIO | None = None

    def add(self, access: Access) -> None:
        if len(self._pending) < self._room:
            self._pending.append(access)
        else:
            self._refused += 1

    def take(self) -> Taken:
        taken = Taken(self._pending, self._refused)
        self._pending, self._refused = [], 0
        return taken

    def write(self, taken: Taken) -> int:
        """Returns how many lines were dropped."""
        waiting = taken.waiting
        logged = 0
        try:
            while logged < len(waiting):
                some = waiting[logged : logged + _CHUNK]
                append_whole(self._open(), msgspec.json.Encoder().encode_lines(some))
                logged += len(some)
        except OSError as error:
            self._complaints.add(error, len(waiting) - logged)
        return taken.refused + len(waiting) - logged

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> FileIO:
        if self._file is not None and not self._file.closed and os.fstat(self._file.fileno()).st_size >= self._size:
            self.close()
            self._rotate()
        if self._file is None or self._file.closed or os.fstat(self._file.fileno()).st_nlink == 0:  # taken away by somebody
            self.close()
            self._file = FileIO(self._path, "ab")
        return self._file

    def _rotate(self) -> None:
        for number in range(self._kept, 0, -1):
            older = self._path if number == 1 else self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
