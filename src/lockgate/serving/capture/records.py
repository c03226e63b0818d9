"""Prediction records on their way to disk: a tuple at the time of the answer, encoded and written every 25 ms by another thread.

Everything is bounded. What finds no room in memory, and what the disk refuses, is dropped and counted. When the folder is full,
the oldest segments that nobody writes to are removed: the newest are the ones that somebody will ask for. A worker that is killed
loses at most what it took in since the last write, and its book says how many records those are:

    kept = logged + dropped + lost, always; lost only by a kill
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from lockgate.boundary.records import Record, frame
from lockgate.boundary.routes import Revision
from lockgate.kernel.clock import Clock, SystemClock
from lockgate.serving.capture.book import Book
from lockgate.serving.capture.complaints import Complaints
from lockgate.serving.capture.files import append_whole
from lockgate.serving.capture.tally import Tally

SEGMENT = 64 << 20  # bytes after which a new segment begins
BUFFER = 16 << 20  # bytes of bodies whose records wait; as objects they take several times as much
FOLDER = 4 << 30  # bytes of all segments of all workers, above which the oldest are removed
_CHUNK = 32  # records encoded at a time: for so long the event loop may have to wait for the interpreter
_LEAST, _VALUE = 256, 16  # bytes that a record, and a value in it, is taken to need where nobody says

log = logging.getLogger(__name__)


class Asked(Protocol):
    """What a version was asked: rows, and its columns (lists or arrays)."""

    @property
    def rows(self) -> int: ...

    @property
    def values(self) -> Mapping[str, Any]: ...


_Fields: TypeAlias = tuple[
    Tally, Revision, tuple[str, ...], float, Mapping[str, Any] | None, Iterable[float], str | None, str | None
]  # of Pending; a plain tuple is made in a fifth of the time


class Pending(NamedTuple):
    """A record to be. values: None if the version's signature refused them."""

    tally: Tally
    revision: Revision
    prediction_ids: tuple[str, ...]
    at: float
    values: Mapping[str, Any] | None
    scores: Iterable[float]
    failure: str | None
    pair: str | None

    def record(self) -> Record:
        """Redacted inputs are None; the reason of a failure might quote them, so only its kind is kept beside them."""
        tally, values, failure = self.tally, self.values or {}, self.failure
        inputs = dict(values)
        if tally.redacted:
            inputs = {name: None if name in tally.redacted else column for name, column in values.items()}
            failure = failure.partition(":")[0] if failure else None
        scores = () if failure else tuple(map(float, self.scores))
        return Record(
            self.prediction_ids,
            tally.model,
            tally.version,
            self.revision,
            self.at,
            inputs,
            scores,
            failure,
            self.pair,
            tally.shadow,
        )


class Taken(NamedTuple):
    """What waited to be written. refused: how many found no room among it."""

    waiting: list[_Fields | Record]
    refused: int


class Written(NamedTuple):
    """What became of it. removed: segments that had to make room."""

    logged: int = 0
    dropped: int = 0
    removed: int = 0


class RecordLog:
    """`keep`, `turn_away` and `take` belong to the event loop, `write` and `close` to the writer's thread.

    wanted: False: none are kept or counted. book: where the number of records is kept that a killed worker takes with it.
    """

    def __init__(
        self,
        folder: Path,
        incarnation: str,
        book: Book | None = None,
        *,
        segment: int = SEGMENT,
        buffer: int = BUFFER,
        limit: int = FOLDER,
        clock: Clock | None = None,
        wanted: bool = True,
    ) -> None:
        if wanted:
            folder.mkdir(parents=True, exist_ok=True)
        self._wanted = wanted
        self._book = book or Book.in_memory(1)
        self._folder = folder
        self._incarnation = incarnation
        self._segment = segment
        self._most = buffer
        self._limit = limit
        self._pending: list[_Fields | Record] = []
        self._held = 0
        self._refused = 0
        self._file: FileIO | None = None
        self._number = 0
        self._warned = False
        self._complaints = Complaints("records not written", clock or SystemClock())

    def keep(  # noqa: PLR0913 - the columns of a record
        self,
        tally: Tally,
        revision: Revision,
        prediction_ids: tuple[str, ...],
        at: float,
        asked: Asked | None,
        scores: Iterable[float],
        failure: str | None = None,
        *,
        pair: str | None = None,
        size: int = 0,
    ) -> None:
        """Take in what a version answered, or how it failed. It must not be changed afterwards.

        at: Unix seconds. asked: None if the version's signature refused it. pair: see Record. size: bytes of the request's body;
        without it, a guess by rows and columns.
        """
        if not self._wanted:
            return
        self._book.kept_record()
        if self._held >= self._most:
            self._refused += 1
            return
        values = None
        if asked is not None:
            values = asked.values
            size = size or _VALUE * asked.rows * len(values)
        self._held += _LEAST + size
        self._pending.append((tally, revision, prediction_ids, at, values, scores, failure, pair))

    def turn_away(self, model: str, at: float, reason: str, number: int = 1) -> None:
        """Take in that so many requests were refused for lack of room. at: Unix seconds."""
        if not self._wanted:
            return
        self._book.kept_record(number)
        if self._held >= self._most:
            self._refused += number
            return
        self._held += _LEAST * number
        self._pending += [Record((), model, 0, Revision(), at, {}, (), f"shed: {reason}")] * number

    def take(self) -> Taken:
        """What came since, to be written."""
        taken = Taken(self._pending, self._refused)
        self._pending, self._held, self._refused = [], 0, 0
        return taken

    def write(self, taken: Taken) -> Written:
        """Append it to the segment. What the disk refuses, and all behind it, is dropped."""
        waiting = taken.waiting
        logged = removed = 0
        try:
            if waiting:
                file, removed = self._open()
                self._book.note_writing(self._number, file.seek(0, os.SEEK_END))
                for first in range(0, len(waiting), _CHUNK):
                    content = _framed(waiting[first : first + _CHUNK])
                    append_whole(file, b"".join(content))  # a system call: the event loop gets its turn
                    logged += len(content)
        except OSError as error:
            self._complaints.add(error, len(waiting) - logged)
        return Written(logged, len(waiting) - logged + taken.refused, removed)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> tuple[FileIO, int]:
        """The segment that is written to, and how many were removed to make room for it."""
        removed = 0
        while self._file is None or _over(self._file, self._segment):
            self.close()
            removed += self._make_room()
            self._number += 1
            self._file = FileIO(self._folder / f"{self._incarnation}-{self._number}.seg", "ab")
            fcntl.flock(self._file, fcntl.LOCK_EX)  # whoever makes room leaves it alone from now on
        return self._file, removed

    def _make_room(self) -> int:
        """Remove the oldest segments that nobody writes to, until one more finds room. Returns how many those were."""
        segments = sorted(_stats(self._folder.glob("*.seg")), key=lambda one: one.changed)
        total = sum(one.size for one in segments) + self._segment
        removed = 0
        for one in segments:
            if total <= self._limit:
                break
            if _removed(one.path):
                total -= one.size
                removed += 1
        if removed and not self._warned:
            self._warned = True
            log.warning("the folder of prediction records is full: the oldest are removed", extra={"bytes": self._limit})
        return removed


class _Stat(NamedTuple):
    path: Path
    size: int
    changed: float


def _framed(waiting: Sequence[_Fields | Record]) -> list[bytes]:
    content: list[bytes] = []
    before, fault = None, None
    for one in waiting:
        if one is not before:  # under overload thousands are refused alike
            try:
                framed = frame(one if isinstance(one, Record) else Pending(*one).record())
            except (TypeError, ValueError, OverflowError, RecursionError) as error:
                fault = error
                continue
            before = one
        content.append(framed)
    if fault is not None:
        log.warning("records that cannot be encoded", extra={"reason": str(fault), "dropped": len(waiting) - len(content)})
    return content


def _over(file: FileIO, size: int) -> bool:
    """Whether it is full, closed by a disk that refused it, or was taken away."""
    if file.closed:
        return True
    stat = os.fstat(file.fileno())
    return stat.st_size >= size or stat.st_nlink == 0


def _stats(paths: Iterable[Path]) -> Iterator[_Stat]:
    for path in paths:
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue  # another worker made room as well
        yield _Stat(path, stat.st_size, stat.st_mtime)


def _removed(path: Path) -> bool:
    """Remove a segment; False if a worker writes to it."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True
