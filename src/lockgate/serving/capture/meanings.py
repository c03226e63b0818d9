"""What the numbers of tallies in the book's entries mean: written into the book's file before an entry first names one.

Two regions of one size: what is added goes behind what is there, its length last. When a region is full, the meanings that an
entry still names are written to the other one, and then that one holds.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Container

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.serving.capture.tally import Tally

_REGION = 1 << 20  # bytes: 5,000 tallies, or 1,300 with bins of the most edges; 64 segments with three arms each are 192
SIZE = 2 * _REGION

_length = struct.Struct("=I")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Tally).decode


class Meanings:
    """known: tallies by number. memory: mapped; SIZE bytes from `start` on are ours. holds: one number: which region does."""

    def __init__(self, memory: mmap.mmap, start: int, holds: NDArray[np.uint32]) -> None:
        self.known: dict[int, Tally] = {}
        self._memory = memory
        self._start = start
        self._holds = holds

    def add(self, tally: Tally) -> bool:
        """False if there is no room."""
        if not self._append(_frame(tally)):
            return False
        self.known[tally.number] = tally
        return True

    def tidy(self, named: Container[int]) -> None:
        """Forget the tallies whose number is not among these."""
        self.known = {number: tally for number, tally in self.known.items() if number in named}
        content = b"".join(map(_frame, self.known.values()))
        other = 1 - int(self._holds[0])
        first = self._region(other) + _length.size
        self._memory[first : first + len(content)] = content
        _length.pack_into(self._memory, first - _length.size, len(content))
        self._holds[0] = other

    def read(self) -> dict[int, Tally]:
        """What a dead worker wrote."""
        first, used = self._held()
        content = self._memory[first : first + min(used, _REGION - _length.size)]
        found, offset = {}, 0
        while offset + _length.size <= len(content):
            begin = offset + _length.size
            offset = begin + _length.unpack_from(content, offset)[0]
            try:
                tally = _decode(content[begin:offset])
            except msgspec.DecodeError:
                break  # as a machine may leave it whose power went: the book counts what nobody can name
            found[tally.number] = tally
        return found

    def _append(self, frame: bytes) -> bool:
        first, used = self._held()
        if _length.size + used + len(frame) > _REGION:
            return False
        self._memory[first + used : first + used + len(frame)] = frame
        _length.pack_into(self._memory, first - _length.size, used + len(frame))
        return True

    def _held(self) -> tuple[int, int]:
        """Where the meanings begin, and how many bytes they are."""
        region = self._region(int(self._holds[0]))
        return region + _length.size, _length.unpack_from(self._memory, region)[0]

    def _region(self, number: int) -> int:
        return self._start + number * _REGION


def _frame(tally: Tally) -> bytes:
    content = _encode(tally)
    return _length.pack(len(content)) + content
