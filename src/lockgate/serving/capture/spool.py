"""Blocks and labels that the control plane has not taken yet: on disk before they are sent, so that a killed worker loses none.

    HOME/spool/INCARNATION/lock                 held (flock) by the process that lives; says which worker's place it fills
    HOME/spool/INCARNATION/00000007.block       a whole block, written aside and renamed
    HOME/spool/INCARNATION/00000008.labels      labels that were acknowledged to their callers and go out with block 8

A folder whose lock is free belongs to a dead worker: whoever takes the lock sends what is left under its original ids. Labels are
named after the block that they go out with, so that block and labels cannot both arrive, whenever their worker died.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from lockgate.boundary.observations import Block, Feedback

_BLOCK = ".block"
_LABELS = ".labels"
_feedback = msgspec.msgpack.Decoder(list[Feedback])
_encoder = msgspec.msgpack.Encoder()


class Spool:
    """One incarnation's folder, while its lock is held. Blocks are put by one thread and removed by another."""

    def __init__(self, folder: Path, lock: BinaryIO) -> None:
        lock.seek(0)
        self.worker = lock.read().decode()
        self._folder = folder
        self._lock = lock
        self._counting = threading.Lock()
        self._labels: tuple[int, BinaryIO] | None = None
        waiting = self.blocks()
        self.waiting = len(waiting)  # blocks not sent yet, and their bytes
        self.size = sum(path.stat().st_size for path in waiting)

    @classmethod
    def create(cls, root: Path, worker: str, incarnation: str) -> Spool:
        """The lock is taken before the folder has its name: nobody can mistake a newborn for a dead one."""
        draft = root / f".{incarnation}"
        draft.mkdir(parents=True)
        lock = (draft / "lock").open("w+b")
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(worker.encode())
        lock.flush()
        return cls(draft.rename(root / incarnation), lock)

    @classmethod
    def adopt(cls, root: Path) -> Iterator[Spool]:
        """The folders of workers that are dead, locked for us."""
        for folder in sorted(root.iterdir()) if root.is_dir() else []:
            if folder.name.startswith("."):
                continue
            if lock := _free_lock(folder / "lock"):
                yield cls(folder, lock)

    def put(self, block: Block) -> None:
        """Keep a block; its labels are in it now.

        Raises:
            OSError: the disk refuses it.
        """
        path = self._folder / f"{block.sequence:08d}{_BLOCK}"
        draft = path.with_suffix(".draft")
        content = _encoder.encode(block)
        draft.write_bytes(content)
        draft.replace(path)
        self._count(1, len(content))
        self._drop_labels(block.sequence)

    def put_labels(self, sequence: int, labels: list[Feedback]) -> None:
        """Keep labels until block `sequence` carries them; once this returns, a killed process loses none.

        Raises:
            OSError: the disk refuses them.
        """
        if self._labels is None or self._labels[0] != sequence:
            self._close_labels()
            self._labels = sequence, (self._folder / f"{sequence:08d}{_LABELS}").open("ab", buffering=0)
        content = _encoder.encode(labels)
        self._labels[1].write(len(content).to_bytes(4, "big") + content)

    def blocks(self) -> list[Path]:
        """What is to be sent, in the order of its sequence: the control plane takes nothing out of order."""
        return sorted(self._folder.glob(f"*{_BLOCK}"))

    def gather_labels(self) -> None:
        """Make blocks of a dead worker's labels that no block carries yet, under the ids that those blocks would have had."""
        for path in sorted(self._folder.glob(f"*{_LABELS}")):
            labels = tuple(_whole_labels(path.read_bytes()))
            if labels and not path.with_suffix(_BLOCK).exists():
                known = max(label.answered_at for label in labels)
                self.put(Block(self.worker, self._folder.name, int(path.stem), known, known, feedback=labels))
            path.unlink(missing_ok=True)

    def remove(self, path: Path) -> None:
        size = path.stat().st_size
        path.unlink()
        self._count(-1, -size)

    def release(self) -> None:
        """Let go of the lock; a folder with nothing left to send disappears."""
        self._close_labels()
        if not self.blocks() and not any(self._folder.glob(f"*{_LABELS}")):
            for path in self._folder.iterdir():
                path.unlink()
            self._folder.rmdir()
        self._lock.close()

    def _count(self, blocks: int, size: int) -> None:
        with self._counting:
            self.waiting += blocks
            self.size += size

    def _drop_labels(self, sequence: int) -> None:
        if self._labels is not None and self._labels[0] <= sequence:
            self._close_labels()
        (self._folder / f"{sequence:08d}{_LABELS}").unlink(missing_ok=True)

    def _close_labels(self) -> None:
        if self._labels is not None:
            self._labels[1].close()
            self._labels = None


def _free_lock(path: Path) -> BinaryIO | None:
    """The lock, held by us now; None if its worker lives, or if another one was quicker and is done with the folder."""
    try:
        lock = path.open("r+b")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _whole_labels(content: bytes) -> Iterator[Feedback]:
    offset = 0
    while offset + 4 <= len(content):
        end = offset + 4 + int.from_bytes(content[offset : offset + 4], "big")
        if end > len(content):
            return  # torn: its caller got no answer
        yield from _feedback.decode(content[offset + 4 : end])
        offset = end
