"""The keeper: starts, watches and ends the processes that run models, for all workers together. It lives in the supervisor.

Workers connect to HOME/hosts/keeper.sock and say which packages they want. What any of them wants is kept; every change of its
state is told to those who want it. A package that nobody wants any more is let go of after a while, so that a worker that is
being replaced finds its hosts again.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from functools import partial
from pathlib import Path
from typing import cast

from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Conflict
from lockgate.serving.isolation import sockets
from lockgate.serving.isolation.examining import Examining
from lockgate.serving.isolation.frames import Frames, Malformed
from lockgate.serving.isolation.hosting import Hosting
from lockgate.serving.isolation.orders import Loaded
from lockgate.serving.isolation.shop import Settings, Shop
from lockgate.serving.isolation.talk import LONGEST, Phase, Told, Want, decode_wants, encode

_MOST_UNREAD = 8 << 20  # bytes that a worker may leave unread before it is taken for dead

_LOOK = 0.1  # seconds between two tries to have the home

log = logging.getLogger(__name__)


class Keeper:
    """Used by one event loop. home: the data plane's own folder. artifacts: where packages lie by their digest."""

    def __init__(self, home: Path, artifacts: Path, settings: Settings, clock: Clock) -> None:
        self._shop = Shop(home, artifacts, settings, clock)
        self._path = keeper_socket(home)
        self._links: set[_Link] = set()
        self._errands: dict[Want, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._told: dict[Want, Told] = {}
        self._leaving: dict[Want, asyncio.TimerHandle] = {}
        self._server: asyncio.Server | None = None
        self._lock: int | None = None

    async def start(self) -> None:
        """Listen. A server that is on its way out may still have the home: it is waited for.

        Raises:
            Conflict: another keeper has this home, and keeps it. Invalid: the home's path is too long for a socket.
        """
        self._shop.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = await _locked(self._shop.folder / "keeper.lock", self._shop.settings.handover)
        self._shop.prepare()
        make = partial(_Link, self)
        self._server = await asyncio.get_running_loop().create_unix_server(make, sock=sockets.listen(self._path))

    async def stop(self) -> None:
        """End every process."""
        if self._server is not None:
            self._server.close()
        for link in list(self._links):
            link.close()
        for handle in self._leaving.values():
            handle.cancel()
        for want in list(self._errands):
            self._end(want)
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._shop.venvs.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            self._path.unlink(missing_ok=True)
            os.close(lock)

    def joined(self, link: _Link) -> None:
        self._links.add(link)

    def left(self, link: _Link) -> None:
        self._links.discard(link)
        self._reconcile()

    def wanted(self, link: _Link) -> None:
        """A worker has said what it wants: it hears what is known, and the rest as it comes."""
        self._reconcile()
        for want in link.wants:
            if want in self._told:
                link.tell(self._told[want])

    def _reconcile(self) -> None:
        wanted = {want for link in self._links for want in link.wants}
        for want in wanted:
            if want in self._leaving:
                self._leaving.pop(want).cancel()
            if want not in self._errands:
                self._errands[want] = asyncio.get_running_loop().create_task(self._run(want))
        for want in self._errands.keys() - wanted - self._leaving.keys():
            linger = self._shop.settings.linger
            self._leaving[want] = asyncio.get_running_loop().call_later(linger, self._let_go, want)

    def _let_go(self, want: Want) -> None:
        del self._leaving[want]
        self._told.pop(want, None)
        self._shop.let_go(want)
        self._end(want)

    def _end(self, want: Want) -> None:
        """Its process takes a while to end; meanwhile another one may be started, at another address."""
        errand = self._errands.pop(want)
        self._ending.add(errand)
        errand.add_done_callback(self._ending.discard)
        errand.cancel()

    async def _run(self, want: Want) -> None:
        tell = partial(self._tell, want)
        errand = Hosting(want, self._shop, tell) if want.isolated else Examining(want, self._shop, tell)
        while True:
            try:
                return await errand.run()
            except Exception as error:
                # Expected is only what the system refuses for now. A package must not bring the keeper of all others down.
                log.exception("errand broke", extra={"digest": want.digest})
                self._tell(want, Phase.FAILED, reason=f"{type(error).__name__}: {error}")
            await self._shop.pause(self._shop.settings.patience.longest_pause)

    def _tell(
        self, want: Want, phase: Phase, *, reason: str = "", socket: Path | None = None, report: Loaded | None = None
    ) -> None:
        told = Told(want, phase, reason, str(socket) if socket is not None else None, report)
        self._told[want] = told
        for link in self._links:
            if want in link.wants:
                link.tell(told)


class _Link(asyncio.Protocol):
    """One worker."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._frames = Frames(LONGEST)
        self._transport: asyncio.Transport | None = None
        self.wants: frozenset[Want] = frozenset()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._keeper.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._transport = None
        self.wants = frozenset()
        self._keeper.left(self)

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._frames.feed(data):
                self.wants = frozenset(decode_wants(body).wants)
                self._keeper.wanted(self)
        except Malformed as error:
            log.warning("worker not understood", extra={"reason": error.message})
            self.close()

    def tell(self, told: Told) -> None:
        if self._transport is None:
            return
        self._transport.write(encode(told))
        if self._transport.get_write_buffer_size() > _MOST_UNREAD:
            self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def keeper_socket(home: Path) -> Path:
    return home / "hosts" / "keeper.sock"


async def _locked(path: Path, patience: float) -> int:
    """Holds the home for as long as this process lives. Raises Conflict if another one does, for so many seconds."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    until = asyncio.get_running_loop().time() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if asyncio.get_running_loop().time() >= until:
                os.close(lock)
                raise Conflict(f"another server keeps {path.parent}", hint="Stop it, or choose another home.") from error
        else:
            return lock
        await asyncio.sleep(_LOOK)
