"""How often a key may ask, over all workers of this machine; and how often an address may fail without being told to slow down.

The limit is the generic cell rate algorithm: each key has the time at which its next request is due, and a request may come early
by as much as the burst allows. One number for each key, in a file that all workers have mapped into memory, and no lock: two
workers that decide within the same microsecond may count one request for two, which is far less than what a lock costs.
"""

from __future__ import annotations

import mmap
import os
from collections import OrderedDict
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

from lockgate.boundary.keys import Rate

SLOTS = 1 << 14  # keys with a rate that were used since the server started; each takes 16 bytes
MOST_PEERS = 4096
_TAKEN = 1 << 63  # tells an id of zeros from a free slot
_ROUNDING = 1e-9  # seconds
FAILURES = Rate(per_second=1 / 6, burst=20)


def decide(due: float, now: float, rate: Rate) -> tuple[float, float]:
    """When the next request is due after this one, and 0; or `due` as it was, and the seconds to wait. Pure.

    due, now: seconds on one monotonic clock. A `due` beyond what the rate can have led to (the machine started again, or the rate
    was changed) counts as a burst that is used up.
    """
    interval = 1.0 / rate.per_second
    due = min(max(due, now), now + rate.burst * interval)
    wait = due - now - (rate.burst - 1) * interval
    return (due, wait) if wait > _ROUNDING else (due + interval, 0.0)


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


class Failures:
    """Refusals by address, in one worker. Addresses that were not heard of for longest are forgotten when there are too many."""

    def __init__(self, rate: Rate = FAILURES) -> None:
        self._rate = rate
        self._dues: OrderedDict[str, float] = OrderedDict()

    def wait(self, peer: str, now: float) -> float:
        """Count a failure. 0 while there are few; else the seconds until the next one is taken as the first was."""
        network = _network(peer)
        self._dues[network], wait = decide(self._dues.get(network, 0.0), now, self._rate)
        self._dues.move_to_end(network)
        if len(self._dues) > MOST_PEERS:
            self._dues.popitem(last=False)
        return wait


def _network(peer: str) -> str:
    """An IPv6 caller has as many addresses as it likes within its /64."""
    if ":" not in peer:
        return peer
    try:
        address = IPv6Address(peer.strip("[]"))
    except ValueError:
        return peer
    return str(address.ipv4_mapped or IPv6Network((int(address) >> 64 << 64, 64)))
