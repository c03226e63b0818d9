"""What a worker has in its hands and what came of it, in a mapped file: a worker killed at any line leaves its evidence.

One entry of 40 bytes for each request that a version was tried with. A store to the file is no system call, and it outlives the
process: the kernel keeps the pages when their process is gone. Each entry says which unit, which tally, how far (free, admitted,
succeeded, failed), the sequence of the block that tells of it, and what came of it: when, after how long, where its score fell.
The byte that says how far is always written last; what else stands in an entry means nothing before it does.

One rule decides what a dead worker's book still has to tell. Let D be its last durable block:

    D = the larger of the book's own `durable` and of the sequences of the block files that are there
    an entry is told already  ⟺  it is completed and its block ≤ D

Blocks become durable one after the other, without gaps, by a rename; whoever removes a block file that was sent notes it in
`durable` first. So wherever the kill falls:

    before the last byte of an admission       never admitted: its caller has no answer
    between admission and completion           admitted, told as a failure `aborted` of its arm
    between completion and the block's fold    its block is D + 1: told in the last block
    between the fold and the rename            the same: the block's file is not there, so D is the one before
    between the rename and the freeing         its block ≤ D: told
    between sent and removed                   the file is there: D stands; it is sent again under its id, which counts once
    between removed and the freeing            `durable` was noted first: D stands
    between the last block's making and its    `final` fixes its sequence before it is made: whoever adopts the folder next makes
    rename, while a dead worker is adopted     the same block, or finds D ≥ `final` and nothing left to do

An entry is used again only when its block is durable. When none is left (the disk has refused blocks for long) requests go
uncounted and their number is told: `requests_lost`. Nothing here waits, and nothing here raises because of a disk.

Counters (requests shed, records written) stand in the head as totals, with what they were at the last two cuts: the difference to
those of cut D is what no block has told. What survives is what a process can lose; a machine without power may lose more.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lockgate.kernel.errors import Corrupt
from lockgate.serving.capture import meanings
from lockgate.serving.capture.meanings import Meanings
from lockgate.serving.capture.tally import Tally

CAPACITY = 65_536  # entries: at 10,000 requests/s six seconds of a disk that refuses
FREE, ADMITTED, SUCCEEDED, FAILED = range(4)
UNPAIRED, AGREED, DISAGREED = range(3)
# The order of both is part of the file's form: another order, another _MAGIC.
KINDS = ("other", "error", "timeout", "signature", "output", "crashed", "aborted", "memory", "unavailable", "cancelled")
COUNTERS = (
    "rejected",
    "shed",
    "unassigned",
    "fallbacks",
    "labels",
    "requests_lost",
    "records_kept",  # taken in by the record log; what was not logged or dropped by the end is lost
    "records_logged",
    "records_dropped",
    "segments_removed",
)

_MAGIC = b"lgbook03"
_HEAD = np.dtype(
    [
        ("magic", "S8"),
        ("capacity", "=u4"),
        ("durable", "=u4"),
        ("final", "=u4"),
        ("region", "=u4"),
        ("opened_at", "=f8"),
        ("writing", [("segment", "=u8"), ("start", "=u8"), ("logged", "=u8")]),
        ("totals", "=u8", (len(COUNTERS),)),
        ("cuts", [("sequence", "=u8"), ("totals", "=u8", (len(COUNTERS),))], (2,)),
    ]
)
_ENTRY = np.dtype(
    [
        ("key", "=u8"),
        ("tally", "=u4"),
        ("delta", "=f4"),
        ("at", "=f8"),
        ("seconds", "=f8"),
        ("block", "=u4"),
        ("score", "u1"),
        ("kind", "u1"),
        ("pairing", "u1"),
        ("state", "u1"),
    ]
)
_SIZE = _ENTRY.itemsize
_STATE = 39
_MEANINGS = 4096  # bytes of the head
_RING = _MEANINGS + meanings.SIZE

_admitted = struct.Struct("=QI").pack_into
_succeeded = struct.Struct("=ddIB").pack_into
_completed = struct.Struct("=fddIBBB").pack_into
_SUCCESS = 16  # where the first of those two begins
_COMPLETION = 12  # and the second
_LARGEST = 1e38  # that fits into four bytes
_kind = {kind: number for number, kind in enumerate(KINDS)}
_position = {name: number for number, name in enumerate(COUNTERS)}
_KEPT = _position["records_kept"]

Entries = NDArray[Any]  # of _ENTRY


class Cut(NamedTuple):
    """What one block is to tell. entries: their places, in the order of completion. counts: by how much counters rose."""

    sequence: int
    opened_at: float
    closed_at: float
    entries: list[int]
    tallies: dict[int, Tally]
    counts: dict[str, int]


class Remains(NamedTuple):
    """What a dead worker's book has to tell that no block has told, in the order of completion; last what failed as `aborted`."""

    opened_at: float
    until: float
    entries: Entries
    tallies: dict[int, Tally]
    counts: dict[str, int]


class Book:
    """Used by the event loop only, but for `read` and `note_writing`, which belong to the writer's thread."""

    def __init__(self, memory: mmap.mmap) -> None:
        """memory: of the size that a book has; zeros make a new one.

        Raises:
            Corrupt: this is no book.
        """
        self._memory: mmap.mmap | bytearray = memory
        self._head = np.frombuffer(memory, _HEAD, 1)
        capacity = (len(memory) - _RING) // _SIZE - 1
        if self._head["magic"][0] == b"":
            self._head["capacity"] = capacity
            self._head["magic"] = _MAGIC
        if self._head["magic"][0] != _MAGIC or self._head["capacity"][0] != capacity:
            raise Corrupt("this file is no book of requests", hint="If another release wrote it, its requests are not told.")
        self._ring = np.frombuffer(memory, _ENTRY, capacity, _RING)
        self._nowhere = _RING + capacity * _SIZE  # the entry of requests that found no room
        self._free = list(range(self._nowhere - _SIZE, _RING - _SIZE, -_SIZE))
        self._totals: memoryview[int] = self._head["totals"][0].data  # a view of plain numbers: quicker than an array
        self._cut_totals = [0] * len(COUNTERS)
        self._meanings = Meanings(memory, _MEANINGS, self._head["region"])
        self._cramped = False  # tidied in vain: not again before entries are freed
        self._done: list[int] = []
        self._held = 0  # entries of the cut that is not durable yet
        self._sealed: list[int] | None = None
        self._sequence = 1

    @classmethod
    def create(cls, path: Path, capacity: int = CAPACITY) -> Book:
        """A new file. Its blocks are written, so that no later store meets a disk without room.

        Raises:
            OSError: the disk refuses it.
        """
        with path.open("x+b") as file:
            size = _RING + (capacity + 1) * _SIZE
            file.write(bytes(size))
            file.flush()
            return cls(mmap.mmap(file.fileno(), size))

    @classmethod
    def open(cls, path: Path) -> Book:
        """A dead worker's.

        Raises:
            Corrupt: this is no book. OSError: it is not there.
        """
        with path.open("r+b") as file:
            if os.fstat(file.fileno()).st_size < _RING + _SIZE:
                raise Corrupt("this file is too short for a book of requests", hint="Its worker died before it was made.")
            return cls(mmap.mmap(file.fileno(), 0))

    @classmethod
    def in_memory(cls, capacity: int = CAPACITY) -> Book:
        """One that ends with the process."""
        return cls(mmap.mmap(-1, _RING + (capacity + 1) * _SIZE))

    # Every request passes here: few calls, nothing made but the list entry.

    def admit(self, tally: Tally, key: int) -> int:
        """A request is about to be given to a version. Returns its entry: exactly one of the next four must follow.

        key: the unit's, 64 bits.
        """
        number = tally.number
        if number not in self._meanings.known and not self._define(tally):
            return self._turned_away()
        if not self._free:
            return self._turned_away()
        entry = self._free.pop()
        _admitted(self._memory, entry, key, number)
        self._memory[entry + _STATE] = ADMITTED
        return entry

    def succeed(self, entry: int, seconds: float, at: float, score: int = 0) -> None:
        """seconds: the runtime's time. at: Unix seconds. score: where it fell, as its tally says (Tally.place), 0..255."""
        _succeeded(self._memory, entry + _SUCCESS, at, seconds, self._sequence, score)
        self._memory[entry + _STATE] = SUCCEEDED
        self._done.append(entry)

    def fail(self, entry: int, kind: str, at: float) -> None:
        """kind: one of KINDS; any other counts as the first of them."""
        _completed(self._memory, entry + _COMPLETION, 0.0, at, 0.0, self._sequence, 0, _kind.get(kind, 0), UNPAIRED)
        self._memory[entry + _STATE] = FAILED
        self._done.append(entry)

    def paired(self, entry: int, seconds: float, at: float, delta: float, *, agreed: bool) -> None:
        """A shadow's answer, compared with the one that was given. delta: the scores' absolute difference."""
        pairing = AGREED if agreed else DISAGREED
        delta = min(delta, _LARGEST)
        _completed(self._memory, entry + _COMPLETION, delta, at, seconds, self._sequence, 0, 0, pairing)
        self._memory[entry + _STATE] = SUCCEEDED
        self._done.append(entry)

    def withdraw(self, entry: int) -> None:
        """It was nothing of the version's doing (refused for lack of room, its caller went away): it is not told of at all."""
        self._memory[entry + _STATE] = FREE
        if entry != self._nowhere:
            self._free.append(entry)

    def count(self, name: str, number: int = 1) -> None:
        """name: one of COUNTERS; others are nobody's evidence and are passed over."""
        position = _position.get(name)
        if position is not None:
            self._totals[position] += number

    def kept_record(self, number: int = 1) -> None:
        """As `count("records_kept", number)`."""
        self._totals[_KEPT] += number

    # Once a block.

    def begin(self, now: float) -> None:
        """The first block is open from now on."""
        self._head["opened_at"] = now

    @property
    def in_flight(self) -> int:
        return self._capacity - len(self._free) - self._held - self.completed

    @property
    def completed(self) -> int:
        """Entries that no block holds yet."""
        return len(self._done) + len(self._sealed or ())

    @property
    def crowded(self) -> bool:
        """Whether so much is completed that a block should not wait."""
        return 4 * self.completed >= self._capacity

    def cut(self, now: float, *, owed: bool = False) -> Cut | None:
        """All that was completed and counted since the last cut, to be told in one block; None if there was nothing.

        owed: there is something else that a block is needed for. The cut before must be durable: its entries freed.
        """
        opened_at = float(self._head["opened_at"][0])
        self._head["opened_at"] = now
        totals = list(self._totals)
        entries = self._take_done()
        if not entries and not owed and totals == self._cut_totals:
            return None
        counts = {name: totals[i] - self._cut_totals[i] for i, name in enumerate(COUNTERS) if totals[i] != self._cut_totals[i]}
        self._note_cut(totals)
        self._held = len(entries)
        cut = Cut(self._sequence, opened_at, now, entries, dict(self._meanings.known), counts)
        self._sequence += 1
        return cut

    def read(self, places: list[int]) -> Entries:
        """A copy of the entries of a cut. They stand still until they are freed."""
        return self._ring[(np.array(places, np.int64) - _RING) // _SIZE]

    def free(self, cut: Cut) -> None:
        """The block is durable: its entries may be used again."""
        freed = (np.array(cut.entries, np.int64) - _RING) // _SIZE
        self._ring["state"][freed] = FREE
        self._ring["pairing"][freed] = UNPAIRED  # `succeed` writes no more than it must
        self._free += cut.entries
        self._held = 0
        self._cramped = False

    def seal(self, at: float) -> None:
        """The end: what is in flight is told as `aborted`, and what still comes of it goes nowhere."""
        if self._sealed is not None:
            return
        for index in np.flatnonzero(self._ring["state"] == ADMITTED).tolist():
            self.fail(_RING + index * _SIZE, "aborted", at)
        self._sealed = self._take_done()
        self._memory = bytearray(len(self._memory))

    def note_writing(self, segment: int, start: int) -> None:
        """Records are about to be written behind byte `start` of a segment: should the worker die, somebody can count them."""
        writing = self._head["writing"]
        writing["segment"] = 0  # half noted is not noted
        writing["start"] = start
        writing["logged"] = self._total("records_logged")
        writing["segment"] = segment

    # When the worker is dead, and by the spool.

    @property
    def durable(self) -> int:
        return int(self._head["durable"][0])

    @durable.setter
    def durable(self, sequence: int) -> None:
        self._head["durable"] = max(sequence, self.durable)

    @property
    def final(self) -> int:
        """The sequence of the last block that is made of this book; 0 as long as its worker lives."""
        return int(self._head["final"][0])

    @final.setter
    def final(self, sequence: int) -> None:
        self._head["final"] = sequence

    @property
    def writing(self) -> tuple[int, int] | None:
        """Segment and offset behind which records may stand that were not counted as logged; None if there are none."""
        segment, start, logged = self._head["writing"][0].tolist()
        return (segment, start) if segment and logged == self._total("records_logged") else None

    @property
    def unwritten(self) -> int:
        """Records taken in that were counted neither as logged nor as dropped."""
        kept, logged, dropped = (self._total(f"records_{what}") for what in ("kept", "logged", "dropped"))
        return kept - logged - dropped

    def remains(self, durable: int) -> Remains | None:
        """What blocks up to `durable` have not told; None if nothing. What was in flight failed at the last known time."""
        state = self._ring["state"].copy()
        untold = (state == ADMITTED) | ((state > ADMITTED) & (self._ring["block"] > durable))
        entries = self._ring[untold]
        aborted = entries["state"] == ADMITTED
        times = entries["at"][~aborted]
        opened_at = float(times.min(initial=self._head["opened_at"][0]))
        until = float(times.max(initial=self._head["opened_at"][0]))
        entries["at"][aborted] = until
        entries["kind"][aborted] = _kind["aborted"]
        entries["state"][aborted] = FAILED
        entries["pairing"][aborted] = UNPAIRED  # all but the last byte of a completion may stand there
        counts = self._untold_counts(durable)
        tallies = self._meanings.read()
        known = np.isin(entries["tally"], list(tallies))
        if not known.all():  # as a machine may leave it whose power went
            counts["requests_lost"] = counts.get("requests_lost", 0) + int(np.count_nonzero(~known))
            entries, aborted = entries[known], aborted[known]
        if not len(entries) and not counts:
            return None
        return Remains(opened_at, until, entries[np.lexsort((entries["at"], aborted))], tallies, counts)

    @property
    def _capacity(self) -> int:
        return len(self._ring)

    def _total(self, name: str) -> int:
        return self._totals[_position[name]]

    def _turned_away(self) -> int:
        self.count("requests_lost")
        return self._nowhere

    def _take_done(self) -> list[int]:
        if self._sealed is not None:
            done, self._sealed = self._sealed, []
        else:
            done, self._done = self._done, []
        if self._total("requests_lost"):
            done = [entry for entry in done if entry != self._nowhere]
        return done

    def _note_cut(self, totals: list[int]) -> None:
        """The sequence last: a cut that is half noted is none."""
        slot = self._head["cuts"][0][self._sequence % 2]
        slot["sequence"] = 0
        slot["totals"] = totals
        slot["sequence"] = self._sequence
        self._cut_totals = totals

    def _untold_counts(self, durable: int) -> dict[str, int]:
        known = self._head["cuts"][0]
        told = next((cut["totals"].tolist() for cut in known if durable and cut["sequence"] == durable), [0] * len(COUNTERS))
        return {name: self._totals[i] - told[i] for i, name in enumerate(COUNTERS) if self._totals[i] != told[i]}

    def _define(self, tally: Tally) -> bool:
        """Write down what a tally means, before an entry names it; False if there is no room."""
        if self._meanings.add(tally):
            return True
        if not self._cramped:
            self._meanings.tidy(set(np.unique(self._ring["tally"][self._ring["state"] != FREE]).tolist()))
            self._cramped = not self._meanings.add(tally)
        return not self._cramped
