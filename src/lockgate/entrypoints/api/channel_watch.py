"""Waits for another pointer on behalf of all who follow a channel: one look at its file per interval, however many wait.

The controller writes the file, in a process of its own, so a notification inside this one would not do.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from lockgate.entrypoints.api.published import Found, Published
from lockgate.kernel.errors import Unavailable

MOST = 2_000  # questions of one key that wait at a time: a thousand machines, each with two channels


class ChannelWatch:
    """published: None where there is no home, and so no channel. interval: seconds between two looks."""

    def __init__(self, published: Published | None, interval: float) -> None:
        self._published = published
        self._interval = interval
        self._waiting: Counter[str] = Counter()
        self._next: asyncio.Task[None] | None = None

    async def other_than(self, channel: str, tag: str, wait: float, who: str = "") -> Found | None:
        """The pointer as it stands when it is another than `tag` says, or when `wait` seconds are over; None if there is none.

        who: asks, a key's id.

        Raises:
            Invalid: this is no channel's name. Unavailable: it cannot be read, or too many wait with this key.
        """
        if self._published is None:
            return None
        stamp = self._published.stamp(channel)  # before the file is read: what comes in between is another one
        found = await asyncio.to_thread(self._published.pointer, channel)
        try:
            with self._counted(who):
                async with asyncio.timeout(wait):
                    while found is not None and found.tag == tag:
                        while (now := self._published.stamp(channel)) == stamp:
                            await self._look()
                        stamp = now
                        found = await asyncio.to_thread(self._published.pointer, channel)
        except TimeoutError:
            pass
        return found

    @contextmanager
    def _counted(self, who: str) -> Iterator[None]:
        if self._waiting[who] >= MOST:
            raise Unavailable(f"{MOST:,} questions of the key {who} wait already", hint="Give other machines another key.")
        self._waiting[who] += 1
        try:
            yield
        finally:
            self._waiting -= Counter([who])  # and forget who waits no more

    async def _look(self) -> None:
        """The next moment to look, which all who wait share."""
        if self._next is None or self._next.done():
            self._next = asyncio.create_task(asyncio.sleep(self._interval))
        await asyncio.shield(self._next)
