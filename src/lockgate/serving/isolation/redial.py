"""A connection that is made again when it was lost, with growing pauses, for as long as somebody holds on to its address."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

FIRST_PAUSE = 0.02  # seconds, doubled with each attempt in vain
LONGEST_PAUSE = 2.0
_LIVED = 1.0  # seconds after which a connection was one, and the pauses begin anew


class Redial:
    """dial: connects, or raises OSError. Used by one event loop."""

    def __init__(self, dial: Callable[[Path], Awaitable[None]]) -> None:
        self._dial = dial
        self.path: Path | None = None
        self._task: asyncio.Task[None] | None = None
        self._attempts = 0
        self._connected_at = 0.0

    def hold(self, path: Path | None) -> None:
        """Connect there from now on; None: nowhere."""
        self.path = path
        self._attempts = 0
        self._start()

    def lost(self) -> None:
        """The connection has ended: make it again, if its address still holds."""
        if asyncio.get_running_loop().time() - self._connected_at > _LIVED:
            self._attempts = 0
        self._start()

    def _start(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.get_running_loop().create_task(self._run(self.path)) if self.path is not None else None

    async def _run(self, path: Path) -> None:
        while True:
            if self._attempts:
                await asyncio.sleep(min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._attempts, 16)))
            self._attempts += 1
            try:
                await self._dial(path)
            except OSError:
                continue
            self._connected_at = asyncio.get_running_loop().time()
            return
