"""Take what the data plane sent out of the inbox, in its order, each block once; keep the labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from lockgate.boundary.observations import Block, Cell, Feedback
from lockgate.domain.findings import Label
from lockgate.ports.state import CONSUMED, INBOX, LABELS, Consumed, Reader, Writer

T = TypeVar("T", Cell, Feedback)
MOST = 200  # blocks in one transaction: bounds how long others wait


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


def take_observations(tx: Writer) -> Taken:
    received = tx.find(INBOX, limit=MOST)
    blocks: list[Block] = []
    for one in received:
        tx.remove(INBOX, one.worker, one.incarnation, one.sequence)
        consumed = tx.get(CONSUMED, one.worker, one.incarnation)
        if consumed is None or one.sequence > consumed.sequence:
            tx.put(CONSUMED, Consumed(one.worker, one.incarnation, one.sequence))
            blocks.append(one.block)
    return Taken(
        cells=tuple(cell for block in blocks for cell in block.cells),
        aside=tuple(cell for block in blocks for cell in block.aside),
        labels=tuple(_keep(tx, (label for block in blocks for label in block.feedback))),
        since=min((block.opened_at for block in blocks), default=0.0),
        until=max((block.closed_at for block in blocks), default=0.0),
    )


def _keep(tx: Writer, labels: Iterable[Feedback]) -> list[Feedback]:
    new = []
    for one in labels:
        label = Label(one.prediction_id, one.model, one.version, one.key, one.score, one.label, one.at, one.answered_at)
        if tx.add(LABELS, label):
            new.append(one)
        elif tx.get(LABELS, one.prediction_id) != label:
            tx.put(LABELS, label)
    return new
