"""Prediction records that came in reports, appended to segment files beside those of the data plane's workers.

Each process that takes reports writes to files of its own, however many reporters there are: whoever watches looks at each file
once a second. A file is locked for as long as it is written to, so that nobody who makes room removes it; when there are too many
bytes of them, the oldest are removed. What the disk refuses is dropped.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from threading import Lock

from lockgate.boundary.records import Record, frame
from lockgate.kernel.ids import new_id

SEGMENT = 16 << 20  # bytes after which a new file begins
FOLDER = 1 << 30  # bytes of all files of this kind, above which the oldest are removed
_PREFIX = "reported-"

log = logging.getLogger(__name__)


class LocalRecordSink:
    """A ports.records.RecordSink. Any thread may use it."""

    def __init__(self, folder: Path, *, segment: int = SEGMENT, limit: int = FOLDER) -> None:
        self._folder = folder
        self._name = new_id(_PREFIX.rstrip("-"))
        self._segment = segment
        self._limit = limit
        self._number = 0
        self._file: FileIO | None = None
        self._lock = Lock()

    def append(self, records: Sequence[Record]) -> int:
        content = b"".join(map(frame, records))
        if not content:
            return 0
        with self._lock:
            try:
                self._write(content)
            except OSError as error:
                log.warning("reported records not written", extra={"reason": str(error), "dropped": len(records)})
                return 0
        return len(records)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _write(self, content: bytes) -> None:
        """All of it; of what is torn because the disk is full nothing behind it would be read, so the next begins a new file."""
        file = self._open()
        if file.write(content) != len(content):
            self._close()
            raise OSError("the disk took a part of it only")

    def _open(self) -> FileIO:
        if self._file is not None and (os.fstat(self._file.fileno()).st_nlink == 0 or self._file.tell() >= self._segment):
            self._close()
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room()
            self._number += 1
            self._file = FileIO(self._folder / f"{self._name}-{self._number}.seg", "ab")
            fcntl.flock(self._file, fcntl.LOCK_EX)
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _make_room(self) -> None:
        found = [(path, stat) for path in self._folder.glob(f"{_PREFIX}*.seg") if (stat := _stat(path)) is not None]
        size = sum(stat.st_size for _, stat in found) + self._segment
        for path, stat in sorted(found, key=lambda one: one[1].st_mtime):
            if size <= self._limit:
                return
            if _removed(path):
                size -= stat.st_size


def _stat(path: Path) -> os.stat_result | None:
    with suppress(FileNotFoundError):  # another process made room as well
        return path.stat()
    return None


def _removed(path: Path) -> bool:
    """False if somebody writes to it."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True
