"""Waits for a newer route table on behalf of all workers: one read of the state per interval, however many wait.

The table may have been changed by another process, so a notification inside this one would not do: the state is asked. When
this process has changed it, it is asked at once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from lockgate.boundary.routes import Revision, RouteTable
from lockgate.ports.state import State
from lockgate.usecases.publish_routes import route_table

INTERVAL = 0.04  # seconds: half of it, on average, is what a roll-back waits here


class RouteWatch:
    def __init__(self, state: State, interval: float = INTERVAL) -> None:
        self._state = state
        self._interval = interval
        self._next: asyncio.Task[RouteTable] | None = None
        self._asleep: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def look_now(self) -> None:
        """The table may be another one: who waits need not wait for the next look. From any thread."""
        asleep = self._asleep
        if asleep is not None:
            loop, woken = asleep
            loop.call_soon_threadsafe(woken.set)

    async def newer_than(self, after: Revision, wait: float) -> RouteTable | None:
        """The table in force, as soon as its revision is higher than `after`; None if it is not within `wait` seconds."""
        table = await asyncio.to_thread(self.current)
        try:
            async with asyncio.timeout(wait):
                while table.revision <= after:
                    table = await self._shared()
        except TimeoutError:
            return None
        return table

    def current(self) -> RouteTable:
        with self._state.read() as tx:
            return route_table(tx)

    async def _shared(self) -> RouteTable:
        """The next read, which all who wait now share; a worker that goes away does not take it from the others."""
        if self._next is None or self._next.done():
            self._next = asyncio.create_task(self._read_soon())
        return await asyncio.shield(self._next)

    async def _read_soon(self) -> RouteTable:
        woken = asyncio.Event()
        self._asleep = asyncio.get_running_loop(), woken
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await woken.wait()
        finally:
            self._asleep = None
        return await asyncio.to_thread(self.current)
