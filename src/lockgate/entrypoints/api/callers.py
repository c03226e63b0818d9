"""Recognised callers, remembered for a second: a page asks for five things at once, and each look costs a transaction.

So a token that is revoked, a user who is disabled, and the first user who closes the server are noticed within that second. Looks
happen on threads beside the event loop.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from starlette.concurrency import run_in_threadpool

from lockgate.kernel.digest import digest_bytes
from lockgate.usecases.recognise_caller import Caller, is_closed, recognise_login, recognise_token
from lockgate.usecases.world import World

REMEMBERED = 1.0  # seconds
MOST = 1024  # callers; what they showed is remembered as its hash


class Callers:
    """closed: whether callers must say who they are even though there is no user."""

    def __init__(self, world: World, *, closed: bool = False) -> None:
        self._world = world
        self._closed = closed
        self._open_until = 0.0
        self._known: OrderedDict[str, tuple[Caller, float]] = OrderedDict()
        self._lock = Lock()

    async def closed(self) -> bool:
        if not self._closed and self._world.clock.monotonic() >= self._open_until:
            await run_in_threadpool(self._look)
        return self._closed

    async def by_token(self, text: str) -> Caller | None:
        return await self._remembered(text, recognise_token)

    async def by_cookie(self, text: str) -> Caller | None:
        return await self._remembered(text, recognise_login)

    def forget(self, text: str) -> None:
        """At once, when somebody signs out here."""
        with self._lock:
            self._known.pop(digest_bytes(text.encode()), None)

    def _look(self) -> None:
        with self._world.state.read() as tx:
            self._closed = is_closed(tx)
        self._open_until = self._world.clock.monotonic() + REMEMBERED

    async def _remembered(self, text: str, recognise: Callable[[World, str], Caller | None]) -> Caller | None:
        key, now = digest_bytes(text.encode()), self._world.clock.monotonic()
        known = self._known.get(key)
        if known is not None and now < known[1]:
            return known[0]
        found = await run_in_threadpool(recognise, self._world, text)
        with self._lock:
            self._known.pop(key, None)
            if found is not None:
                self._known[key] = found, now + REMEMBERED
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        return found
