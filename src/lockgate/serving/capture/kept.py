"""What was acknowledged to callers and stands in no block yet: labels and lessons, in memory and in a file.

    HOME/spool/INCARNATION/00000008.kept        goes out with block 8; frames of four bytes of length and as much MessagePack

The file outlives a killed process: whoever adopts its folder reads what stands there whole. Before lessons there was a file of
labels only (`.labels`), each frame a list of them: what an earlier release left is read too, and never written.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from errno import EIO
from io import FileIO
from pathlib import Path

import msgspec

from lockgate.boundary.observations import Block, Feedback, Lesson
from lockgate.serving.capture.files import append_whole

MOST = 8 << 20  # bytes for one block: with its cells beside it, it must fit into one message of the control channel (16 MiB)
MOST_PIECES = 4000  # labels and lessons for one block: the controller takes a block whole, and others wait meanwhile
_KEPT = ".kept"
_LABELS = ".labels"
_LENGTH = 4
_encoder = msgspec.msgpack.Encoder()

log = logging.getLogger(__name__)


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What one caller was told of as accepted, or what goes out with one block."""

    feedback: tuple[Feedback, ...] = ()
    lessons: tuple[Lesson, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.feedback or self.lessons)

    def within(self, block: Block) -> Block:
        """The block with all of it."""
        return msgspec.structs.replace(block, feedback=block.feedback + self.feedback, lessons=block.lessons + self.lessons)


_kept = msgspec.msgpack.Decoder(Kept)
_labels = msgspec.msgpack.Decoder(tuple[Feedback, ...])


class Keeping:
    """Those of one incarnation. Used by one thread, but for `size`, which may be looked at by any. size: bytes."""

    def __init__(self, folder: Path) -> None:
        self.size = 0
        self._folder = folder
        self._file: FileIO | None = None
        self._parts: list[Kept] = []
        self._pieces = 0

    @property
    def all(self) -> Kept:
        return _together(self._parts)

    def add(self, kept: Kept, sequence: int) -> bool:
        """Keep it for the block of that number; once this returns, a killed process does not lose it.

        False, and nothing kept, if the block would grow too large with it.

        Raises:
            OSError: the disk refuses it.
        """
        content = _encoder.encode(kept)
        pieces = len(kept.feedback) + len(kept.lessons)
        if self._parts and (self.size + len(content) > MOST or self._pieces + pieces > MOST_PIECES):
            return False
        if self._file is None:
            self._file = FileIO(self._folder / f"{sequence:08d}{_KEPT}", "ab")
        if self._file.closed:
            raise OSError(EIO, "half of what came could not be taken back; it is taken again after the next block")
        append_whole(self._file, len(content).to_bytes(_LENGTH, "big") + content)
        self._parts.append(kept)
        self.size += len(content)
        self._pieces += pieces
        return True

    def left(self, durable: int) -> list[Path]:
        """Files of what stands in no durable block."""
        return [path for path in self._paths() if int(path.stem) > durable]

    def drop(self, durable: int) -> None:
        """Forget what stands in a durable block now."""
        self.close()
        self._parts, self.size, self._pieces = [], 0, 0
        for path in self._paths():
            if int(path.stem) <= durable:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _paths(self) -> list[Path]:
        return sorted(path for suffix in (_KEPT, _LABELS) for path in self._folder.glob(f"*{suffix}"))


def read_kept(paths: Iterable[Path]) -> Kept:
    """What stands whole in files that a dead worker left."""
    return _together([part for path in paths for part in _parts(path)])


def _together(parts: Sequence[Kept]) -> Kept:
    return Kept(
        tuple(label for part in parts for label in part.feedback),
        tuple(lesson for part in parts for lesson in part.lessons),
    )


def _parts(path: Path) -> Iterator[Kept]:
    content = path.read_bytes()
    offset = 0
    while offset + _LENGTH <= len(content):
        end = offset + _LENGTH + int.from_bytes(content[offset : offset + _LENGTH], "big")
        if end > len(content):
            return  # torn: its caller got no answer
        frame = content[offset + _LENGTH : end]
        try:
            yield _kept.decode(frame) if path.suffix == _KEPT else Kept(_labels.decode(frame))
        except msgspec.DecodeError as error:
            log.warning("what was kept is damaged: the rest of the file cannot be read", extra=_told(path, error))
            return
        offset = end


def _told(path: Path, error: Exception) -> dict[str, str]:
    return {"file": path.name, "reason": str(error)}
