"""A worker's memory on a real disk, with a clock that moves when it is told to."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import msgspec

from lockgate.boundary.observations import Block, Feedback, Lesson
from lockgate.boundary.records import Record, frames
from lockgate.boundary.routes import Bins, Revision
from lockgate.serving.capture.access import AccessLog
from lockgate.serving.capture.book import Book
from lockgate.serving.capture.figures import FigureFiles, Figures
from lockgate.serving.capture.flusher import Flusher
from lockgate.serving.capture.kept import Kept
from lockgate.serving.capture.ledger import Closed, Ledger
from lockgate.serving.capture.records import RecordLog
from lockgate.serving.capture.spool import ROOM, Spool
from lockgate.serving.capture.tally import Tally
from lockgate.testing.clock import VirtualClock

REVISION = Revision(1, 2)


def tally(
    *limits: float,
    version: int = 1,
    judged: bool = True,
    keyed: bool = True,
    shadow: bool = False,
    redacted: tuple[str, ...] = (),
    segment: str = "",
    bins: Bins | None = None,
) -> Tally:
    return Tally("m", version, REVISION, judged, keyed, 4, limits, shadow, redacted, segment, bins is not None, bins)


def label(number: int) -> Feedback:
    return Feedback(f"p{number}", "m", 1, REVISION, number, 0.5, 1.0, 2.0, 1.0)


def lesson(number: int, values: int = 1) -> Lesson:
    return Lesson(f"l{number}", "m", 1, {"x": [0.5] * values, "s": ["a"] * values}, (1.0,) * values, 2.0)


def kept(*labels: Feedback, lessons: tuple[Lesson, ...] = ()) -> Kept:
    return Kept(labels, lessons)


def told(ledger: Ledger, now: float = 5.0) -> Closed | None:
    """A block that becomes durable at once."""
    cut = ledger.cut(now)
    if cut is None:
        return None
    closed = ledger.close(cut)
    ledger.show(closed)
    ledger.settle(closed)
    return closed


def block_of(closed: Closed | None) -> Block:
    assert closed is not None
    return closed.block


def die(spool: Spool) -> None:
    """What the kernel does for a process that is killed."""
    spool._kept.close()
    spool._lock.close()


def blocks_in(spool: Spool) -> list[Block]:
    return [msgspec.msgpack.decode(path.read_bytes(), type=Block) for path in spool.blocks()]


def records_in(folder: Path) -> list[Record]:
    return [record for path in sorted(folder.glob("*.seg")) for _, record in frames(path.read_bytes())]


def adopted(root: Path) -> list[Block]:
    """What whoever adopts the one dead folder sends; then the folder is gone."""
    (orphan,) = Spool.adopt(root)
    blocks = blocks_in(orphan)
    for path in orphan.blocks():
        orphan.remove(path)
    orphan.release()
    assert list(root.iterdir()) == []
    return blocks


class Desk:
    """What a worker is made of, as far as it remembers."""

    def __init__(self, home: Path, *, room: int = ROOM, incarnation: str = "i", writer: Executor | None = None) -> None:
        self.home = home
        self.clock = VirtualClock()
        self.spool = Spool.create(home / "spool", "w", incarnation, room=room)
        assert self.spool.book is not None
        self.book: Book = self.spool.book
        self.ledger = Ledger("w", incarnation, Figures(), 0.0, self.book)
        self.records = RecordLog(home / "records", incarnation, self.book)
        self.access = AccessLog(home / "logs" / "w.access.jsonl")
        self.files = FigureFiles(home / "figures", "w")
        self.told = 0
        self.flusher = Flusher(
            self.ledger,
            self.records,
            self.spool,
            self.files,
            writer or ThreadPoolExecutor(1),
            self.clock,
            self._tell,
            access=self.access,
        )

    def _tell(self) -> None:
        self.told += 1

    def serve(self, one: Tally, key: int, seconds: float = 0.01, at: float = 1.0, score: float = 0.0) -> None:
        self.ledger.succeed(self.ledger.admit(one, key), seconds, at, one.place(score))

    @property
    def blocks(self) -> list[Block]:
        return blocks_in(self.spool)
