"""What a dead worker has left to tell: the last block under its name, made of its book by whoever adopts its folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from lockgate.boundary.observations import Block
from lockgate.boundary.records import frames
from lockgate.serving.capture import fold
from lockgate.serving.capture.book import Book, Remains
from lockgate.serving.capture.figures import Figures
from lockgate.serving.capture.kept import Kept


class Last(NamedTuple):
    """The last block, and its part of the figures."""

    block: Block
    figures: Figures


def last_block(identity: tuple[str, str, int], book: Book | None, durable: int, kept: Kept, records: Path) -> Last | None:
    """Of a worker that is dead; None if there is nothing to tell.

    identity: worker, incarnation, sequence. durable: the last sequence that is. kept: what stands in no durable block.
    records: the folder of the segments.
    """
    left = book.remains(durable) if book is not None else None
    if left is None and not kept:
        return None
    newest = max([0.0, *(label.answered_at for label in kept.feedback), *(lesson.at for lesson in kept.lessons)])
    lessons = {"lessons": len(kept.lessons)} if kept.lessons else {}
    if left is None or book is None:
        return Last(kept.within(Block(*identity, newest, newest)), Figures(totals=lessons))
    counts = left.counts | _records(book, records, identity[1], left)
    seen = fold.fold(left.entries, left.tallies)
    block = fold.block(identity, left.opened_at, max(left.until, newest), seen, counts)
    figures = Figures(totals={name: number for name, number in counts.items() if name != "records_kept"} | lessons)
    for one in seen:
        figures.add_seen(one)
    return Last(kept.within(block), figures)


def _records(book: Book, folder: Path, incarnation: str, left: Remains) -> dict[str, int]:
    """Of the records that were not counted as written, those that are: they were being written when the worker died."""
    written = 0
    if book.writing is not None:
        segment, start = book.writing
        written = _whole_records(folder / f"{incarnation}-{segment}.seg", start)
    return {
        "records_logged": left.counts.get("records_logged", 0) + written,
        "records_lost": book.unwritten - written,
    }


def _whole_records(path: Path, start: int) -> int:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return sum(1 for _ in frames(file.read()))
    except FileNotFoundError:
        return 0  # removed since, to make room
