"""Prediction records on their way to disk: framed at once, written every 200 ms, never in the way of an answer.

The buffer and the folder are bounded; what finds no room is dropped and counted. A worker that is killed loses at most what it
framed since the last write.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import BinaryIO

from lockgate.boundary.records import Record, frame

SEGMENT = 64 << 20  # bytes after which a new segment begins
BUFFER = 32 << 20
FOLDER = 4 << 30  # bytes of all segments of all workers: then nobody takes them away, and no more are written

log = logging.getLogger(__name__)


class RecordLog:
    """`append` and `take` belong to the event loop, `write` and `close` to the writer's thread."""

    def __init__(
        self, folder: Path, incarnation: str, *, segment: int = SEGMENT, buffer: int = BUFFER, limit: int = FOLDER
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._incarnation = incarnation
        self._segment = segment
        self._most = buffer
        self._limit = limit
        self._pending = bytearray()
        self._framed = 0
        self._refused = 0
        self._file: BinaryIO | None = None
        self._number = 0

    def append(self, record: Record) -> None:
        if len(self._pending) >= self._most:
            self._refused += 1
            return
        self._pending += frame(record)
        self._framed += 1

    def take(self) -> tuple[bytearray, int, int]:
        """What was framed since, how many records that are, and how many found no room."""
        taken = self._pending, self._framed, self._refused
        self._pending, self._framed, self._refused = bytearray(), 0, 0
        return taken

    def write(self, content: bytearray) -> bool:
        """Append to the segment; False if the disk or the bound refused it, and then nothing of it counts as written."""
        try:
            file = self._open()
            if file is None:
                return False
            start = file.tell()
            try:
                file.write(content)
            except OSError:
                file.truncate(start)
                raise
        except OSError as error:
            log.warning("records not written", extra={"reason": str(error)})
            return False
        return True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> BinaryIO | None:
        if self._file is not None and self._file.tell() >= self._segment:
            self.close()
        if self._file is None:
            if sum(path.stat().st_size for path in self._folder.glob("*.seg")) >= self._limit:
                return None
            self._number += 1
            self._file = (self._folder / f"{self._incarnation}-{self._number}.seg").open("ab", buffering=0)
        return self._file
