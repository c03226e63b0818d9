"""How often a key may ask, over all workers of this machine.

The limit is the generic cell rate algorithm (`boundary/limits.py`): one number for each key, in a file that all workers have
mapped into memory, and no lock: two workers that decide within the same microsecond may count one request for two, which is far
less than what a lock costs.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from lockgate.boundary.keys import Rate
from lockgate.boundary.limits import decide

SLOTS = 1 << 14  # keys with a rate that were used since the server started; each takes 16 bytes
_TAKEN = 1 << 63  # tells an id of zeros from a free slot


class SharedLimits:
    """The due times of all keys, in a file of this machine. Losing it fills every bucket, and does no other harm."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, SLOTS * 16)
            whole = memoryview(mmap.mmap(descriptor, SLOTS * 16))
        finally:
            os.close(descriptor)
        self._owners = whole[: SLOTS * 8].cast("Q")
        self._dues = whole[SLOTS * 8 :].cast("d")
        self._slots: dict[str, tuple[int, int]] = {}

    def wait(self, key: str, rate: Rate, now: float) -> float:
        """0 if the key's request may be answered, and it is counted; else the seconds until one may. key: its id."""
        slot = self._slot(key)
        self._dues[slot], wait = decide(self._dues[slot], now, rate)
        return wait

    def _slot(self, key: str) -> int:
        """Its place in the file, looked at each time: two workers may have claimed one for different keys at once."""
        number, slot = self._slots.get(key) or (int(key, 16) | _TAKEN, 0)
        if self._owners[slot] != number:
            slot = self._claim(number)
            self._slots[key] = number, slot
        return slot

    def _claim(self, number: int) -> int:
        start = number % SLOTS
        for step in range(SLOTS):
            slot = (start + step) % SLOTS
            if self._owners[slot] in (0, number):
                break
        else:
            slot = start  # all are taken, by keys that are mostly gone: one of them gives way
        if self._owners[slot] != number:
            self._owners[slot], self._dues[slot] = number, 0.0
        return slot
