"""Blocks that the control plane has not taken yet, and what goes out with the next one: on disk, so a killed worker loses none.

    HOME/spool/INCARNATION/lock                 held (flock) by the process that lives; says which worker's place it fills
    HOME/spool/INCARNATION/book                 what it has counted and what it has in its hands (see `book`)
    HOME/spool/INCARNATION/00000007.block       a whole block, written aside and renamed
    HOME/spool/INCARNATION/00000008.kept        labels and lessons that were acknowledged to their callers and go out with block 8

Blocks become durable one after the other: 8 is not begun before 7 has its name, however long the disk refuses it. So what is
kept, which is named after the block that comes next, always goes out with it, and never under a number that was passed over.

A folder whose lock is free belongs to a dead worker. Whoever takes the lock makes one last block of what no block of it has told
yet, and sends what is there under its original ids.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from lockgate.boundary.observations import Block
from lockgate.kernel.errors import Corrupt
from lockgate.serving.capture.book import Book
from lockgate.serving.capture.figures import Figures
from lockgate.serving.capture.kept import Keeping, Kept, read_kept
from lockgate.serving.capture.remains import last_block

ROOM = 64 << 20  # bytes that wait, above which cells are dropped, and above twice of which labels and lessons are refused
_LOCK = "lock"
_BLOCK = ".block"
_encoder = msgspec.msgpack.Encoder()

log = logging.getLogger(__name__)


class Spool:
    """One incarnation's folder, while its lock is held. What comes is put by one thread, blocks are removed by another.

    book: None if there is none to be read any more. size: bytes of blocks not sent yet, and of what is kept and in none.
    left: what a dead worker had not told, for the figures.
    """

    def __init__(self, folder: Path, lock: BinaryIO, book: Book | None, *, room: int = ROOM) -> None:
        lock.seek(0)
        self.worker = lock.read().decode()
        self.book = book
        self.left = Figures()
        self._folder = folder
        self._room = room
        self._lock = lock
        self._counting = threading.Lock()
        self._kept = Keeping(folder)
        waiting = self.blocks()
        self.waiting = len(waiting)  # blocks not sent yet
        self._blocks_size = sum(path.stat().st_size for path in waiting)
        self._durable = max([book.durable if book else 0, *(int(path.stem) for path in waiting)])

    @classmethod
    def create(cls, root: Path, worker: str, incarnation: str, *, memory: Path | None = None, room: int = ROOM) -> Spool:
        """The lock is taken before the folder has its name: nobody can mistake a newborn for a dead one.

        room: bytes. memory: a folder that is kept in memory (/dev/shm), for the book. On a disk that hangs, a store to a mapped
        file may hang as well; in memory it cannot, but what the book says then ends with the machine, as with a loss of power.
        """
        draft = root / f".{incarnation}"
        draft.mkdir(parents=True)
        lock = (draft / _LOCK).open("w+b")
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(worker.encode())
        lock.flush()
        folder = draft.rename(root / incarnation)
        if memory is not None:
            (folder / "book").symlink_to(memory / f"lockgate-{incarnation}.book")
        return cls(folder, lock, Book.create((folder / "book").resolve()), room=room)

    @classmethod
    def adopt(cls, root: Path) -> Iterator[Spool]:
        """The folders of workers that are dead, locked for us, their last block made. What the disk refuses is left for later."""
        for folder in sorted(root.iterdir()) if root.is_dir() else []:
            lock = None if folder.name.startswith(".") else _free_lock(folder)
            if lock is None:
                continue
            try:
                with ExitStack() as unless_adopted:
                    unless_adopted.callback(lock.close)
                    spool = cls(folder, lock, _book(folder / "book"))
                    spool._settle()
                    unless_adopted.pop_all()
            except OSError as error:
                log.warning("spool of a dead worker not adopted", extra={"folder": folder.name, "reason": str(error)})
                continue
            yield spool

    @property
    def size(self) -> int:
        return self._blocks_size + self._kept.size

    @property
    def crowded(self) -> bool:
        """No room for cells."""
        return self._blocks_size > self._room

    @property
    def full(self) -> bool:
        """No room even for labels and lessons."""
        return self.size > 2 * self._room

    @property
    def owes(self) -> bool:
        """Whether anything is kept that waits for a block."""
        return self._kept.size > 0

    def put(self, block: Block) -> None:
        """Keep a block, with what goes out with it; a block that is durable already is passed over.

        Raises:
            OSError: the disk refuses it.
        """
        if block.sequence <= self._durable:
            return
        path = self._folder / f"{block.sequence:08d}{_BLOCK}"
        draft = path.with_suffix(".draft")
        content = _encoder.encode(self._kept.all.within(block))
        draft.write_bytes(content)
        self._count(1, len(content))  # before anybody can find it and remove it
        try:
            draft.replace(path)
        except OSError:
            self._count(-1, -len(content))
            raise
        self._note_durable(block.sequence)
        self._kept.drop(self._durable)

    def keep(self, kept: Kept) -> bool:
        """Keep what was acknowledged for the block that comes next: see `Keeping.add`."""
        return self._kept.add(kept, self._durable + 1)

    def blocks(self) -> list[Path]:
        """What is to be sent, in the order of its sequence: the control plane takes nothing out of order."""
        return sorted(self._folder.glob(f"*{_BLOCK}"))

    def remove(self, path: Path) -> None:
        """A block was sent. It is noted as durable first: once its file is gone, nothing else says so."""
        size = path.stat().st_size
        self._note_durable(int(path.stem))
        path.unlink()
        self._count(-1, -size)

    def release(self) -> None:
        """Let go of the lock; a folder with nothing left to tell disappears."""
        self._kept.close()
        if not self.blocks() and not self._kept.left(self._durable) and self._told():
            if (self._folder / "book").is_symlink():
                (self._folder / "book").resolve().unlink(missing_ok=True)
            for path in sorted(self._folder.iterdir(), key=lambda one: one.name == _LOCK):  # the lock last: it says whose this is
                path.unlink()
            self._folder.rmdir()
        self._lock.close()

    def _settle(self) -> None:
        """Make a dead worker's last block, if there is anything to tell. Done again, wherever it broke off, it is the same."""
        left = self._kept.left(self._durable)
        kept = read_kept(left)
        sequence = max([self._durable + 1, *(int(path.stem) for path in left)])
        book = None if self._finished else self.book
        if book is not None:
            book.final = sequence
        identity = self.worker, self._folder.name, sequence
        last = last_block(identity, book, self._durable, kept, self._folder.parent.parent / "records")
        if last is not None:
            self.put(last.block)
            self.left = last.figures
        self._kept.drop(self._durable)

    @property
    def _finished(self) -> bool:
        """Whether the last block is durable that was to be made of the book."""
        return self.book is not None and 0 < self.book.final <= self._durable

    def _told(self) -> bool:
        """Whether blocks that are durable have told all that the book says."""
        return self.book is None or self._finished or self.book.remains(self._durable) is None

    def _note_durable(self, sequence: int) -> None:
        with self._counting:
            self._durable = max(self._durable, sequence)
            if self.book is not None:
                self.book.durable = self._durable

    def _count(self, blocks: int, size: int) -> None:
        with self._counting:
            self.waiting += blocks
            self._blocks_size += size


def _free_lock(folder: Path) -> BinaryIO | None:
    """The lock, held by us now; None if its worker lives, or if another one was quicker and is done with the folder."""
    try:
        lock = (folder / _LOCK).open("r+b")
    except NotADirectoryError:
        return None
    except FileNotFoundError:
        with suppress(OSError):  # its last heir died between the lock's end and its own
            folder.rmdir()
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    if os.fstat(lock.fileno()).st_nlink == 0:
        lock.close()
        return None
    return lock


def _book(path: Path) -> Book | None:
    """A dead worker's book; None if it is of another release, or not there (its worker died at birth, or with its machine)."""
    try:
        return Book.open(path)
    except (FileNotFoundError, Corrupt) as error:
        log.warning("a dead worker left no book", extra={"folder": path.parent.name, "reason": str(error)})
        return None
