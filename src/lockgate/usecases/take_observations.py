"""Take what the data plane sent out of the inbox, in its order, each block once; keep the labels, log the lessons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from lockgate.boundary.observations import Block, Cell, Feedback, Lesson
from lockgate.domain.findings import Label
from lockgate.ports.state import CONSUMED, INBOX, LABELS, Consumed, Reader, Writer
from lockgate.usecases.log_lessons import log_lessons

T = TypeVar("T", Cell, Feedback, Lesson)
MOST = 200  # blocks in one transaction: bounds how long others wait
MOST_ROWS = 40_000  # rows of lessons after which no further block is begun: half a second
_ROWS_OF_PIECE = 20  # that cost what a label costs, or a lesson however many rows it has
_PORTION = 20  # blocks that are read at a time: labels and lessons of one may take 8 MB


@dataclass(frozen=True, slots=True)
class Taken:
    """What came. labels: those that were not known before; a label that is sent again, or revised, is no new evidence.

    aside: what was not assigned by the table.
    """

    cells: tuple[Cell, ...] = ()
    aside: tuple[Cell, ...] = ()
    labels: tuple[Feedback, ...] = ()
    since: float = 0.0  # Unix seconds: when the first block was opened
    until: float = 0.0  # and when the last was closed

    def by_model(self) -> defaultdict[str, Taken]:
        """What concerns each model: with a hundred rollouts under way nobody looks through all of it a hundred times."""
        parts = defaultdict(lambda: Taken(since=self.since, until=self.until))
        cells, aside, labels = _grouped(self.cells), _grouped(self.aside), _grouped(self.labels)
        for model in {*cells, *aside, *labels}:
            parts[model] = Taken(tuple(cells[model]), tuple(aside[model]), tuple(labels[model]), self.since, self.until)
        return parts


def _grouped(items: Iterable[T]) -> defaultdict[str, list[T]]:
    found: defaultdict[str, list[T]] = defaultdict(list)
    for one in items:
        found[one.model].append(one)
    return found


def anything_waits(tx: Reader) -> bool:
    return bool(tx.find(INBOX, limit=1))


def unread(tx: Reader, before: float) -> bool:
    """Whether a block that was opened before then (Unix seconds) is in the inbox still."""
    offset = 0
    while page := tx.find(INBOX, limit=_PORTION, offset=offset):
        if any(one.block.opened_at < before for one in page):
            return True
        offset += _PORTION
    return False


def take_observations(tx: Writer) -> Taken:
    blocks = _blocks(tx)
    for model, lessons in _grouped(lesson for block in blocks for lesson in block.lessons).items():
        log_lessons(tx, model, lessons)
    return Taken(
        cells=tuple(cell for block in blocks for cell in block.cells),
        aside=tuple(cell for block in blocks for cell in block.aside),
        labels=tuple(_keep(tx, (label for block in blocks for label in block.feedback))),
        since=min((block.opened_at for block in blocks), default=0.0),
        until=max((block.closed_at for block in blocks), default=0.0),
    )


def _blocks(tx: Writer) -> list[Block]:
    """Out of the inbox, in its order, as many as one transaction may take; those that came before are not among them."""
    blocks: list[Block] = []
    taken = rows = 0
    while taken < MOST and rows < MOST_ROWS and (received := tx.find(INBOX, limit=_PORTION)):
        for one in received:
            tx.remove(INBOX, one.worker, one.incarnation, one.sequence)
            taken += 1
            consumed = tx.get(CONSUMED, one.worker, one.incarnation)
            if consumed is None or one.sequence > consumed.sequence:
                tx.put(CONSUMED, Consumed(one.worker, one.incarnation, one.sequence))
                blocks.append(one.block)
                rows += _rows(one.block)
            if rows >= MOST_ROWS:
                break
    return blocks


def _rows(block: Block) -> int:
    """What a block costs to take, in rows of lessons."""
    pieces = len(block.lessons) + len(block.feedback)
    return sum(len(lesson.labels) for lesson in block.lessons) + _ROWS_OF_PIECE * pieces


def _keep(tx: Writer, labels: Iterable[Feedback]) -> list[Feedback]:
    new = []
    for one in labels:
        label = Label(one.prediction_id, one.model, one.version, one.key, one.score, one.label, one.at, one.answered_at)
        if tx.add(LABELS, label):
            new.append(one)
        elif tx.get(LABELS, one.prediction_id) != label:
            tx.put(LABELS, label)
    return new
