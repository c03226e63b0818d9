"""A model in a process of its own, as a worker sees it: asked over a Unix socket, many requests at a time.

Nothing that happens there reaches further than `RuntimeFailure`. A time-out counts at its deadline, whatever the process does;
what was under way when it died fails at once; what comes while it is being started again waits for it, but not for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import NamedTuple, cast

from lockgate.kernel.errors import Invalid, LockgateError
from lockgate.runtimes.model import Array, RuntimeFailure
from lockgate.serving.isolation import sockets, wire
from lockgate.serving.isolation.frames import Frames, Malformed
from lockgate.serving.isolation.redial import Redial
from lockgate.serving.isolation.wire import Answer, Failure

MOST_UNDER_WAY = 256
PATIENCE = 1.0  # seconds that a request waits for a process that is being started again
_HIGH_WATER = 32 << 20  # bytes that may wait to be sent; beyond, the process does not read

CRASHED, TIMEOUT = "crashed", "timeout"


class Overloaded(LockgateError):
    """As many requests are under way as may be: try again later (429). It is no failure of the model."""


class Ran(NamedTuple):
    """seconds: what the model took, without waiting and sending; other requests may have shared the run."""

    outputs: list[Array]
    seconds: float


class RemoteModel:
    """Used by one event loop. most: requests under way at one time."""

    def __init__(self, most: int = MOST_UNDER_WAY, patience: float = PATIENCE) -> None:
        self._most = most
        self._patience = patience
        self._redial = Redial(self._dial)
        self._link: _Link | None = None
        self._under_way = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._on_idle: Callable[[], None] | None = None
        self._reason = "its process is not ready"
        self._hopeless = True

    @property
    def full(self) -> bool:
        """Whether `run` would raise Overloaded."""
        return self._under_way >= self._most or (self._link is not None and self._link.clogged)

    @property
    def connected(self) -> bool:
        return self._link is not None

    async def run(self, feeds: Mapping[str, Array], seconds: float) -> list[Array]:
        """One array for each output of the signature. seconds: from now, within which an answer is worth having.

        Raises:
            RuntimeFailure: kind error or output: the model's; timeout; crashed: its process died, or is not there.
            Overloaded: too many requests are under way.
        """
        try:
            packed = wire.pack(feeds)
        except Invalid as error:
            raise RuntimeFailure(error.message) from error
        return (await self.ask(packed, seconds)).outputs

    async def ask(self, packed: bytes, seconds: float) -> Ran:
        """The same with feeds that are packed already (wire.pack), and with what the model took.

        Raises:
            RuntimeFailure, Overloaded: as `run`.
        """
        if self.full:
            raise Overloaded(f"{self._under_way} requests are under way, {self._most} may be")
        self._under_way += 1
        try:
            link = self._link
            if link is None:
                loop = asyncio.get_running_loop()
                until = loop.time() + seconds
                link = await self._connected(min(seconds, self._patience))
                seconds = until - loop.time()
            return await link.ask(packed, seconds)
        finally:
            self._under_way -= 1
            if self._under_way == 0 and self._on_idle is not None:
                self._on_idle()

    @property
    def idle(self) -> bool:
        return self._under_way == 0

    def when_idle(self, call: Callable[[], None]) -> None:
        """Call it whenever nothing is under way any more."""
        self._on_idle = call

    def attach(self, path: Path) -> None:
        """Its process listens there."""
        if self._link is not None and path == self._redial.path:
            return
        self._drop()
        self._hopeless = False
        self._redial.hold(path)

    def detach(self, reason: str, *, hopeless: bool) -> None:
        """Its process is gone. hopeless: nobody waits for it to come back."""
        self._redial.hold(None)
        self._drop()
        self._reason, self._hopeless = reason or self._reason, hopeless
        if hopeless:
            self._wake()

    async def connected_within(self, seconds: float) -> None:
        """Raises RuntimeFailure (crashed) if it is not there by then."""
        if self._link is None:
            await self._connected(seconds)

    async def _connected(self, patience: float) -> _Link:
        until = asyncio.get_running_loop().time() + patience
        while self._link is None:
            left = until - asyncio.get_running_loop().time()
            if self._hopeless or left <= 0:
                raise RuntimeFailure(self._reason, kind=CRASHED)
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(turn)
            await asyncio.wait([turn], timeout=left)
            self._waiting.discard(turn)
        return self._link

    async def _dial(self, path: Path) -> None:
        sock = sockets.connect(path)
        link = _Link(self._lost)
        await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=sock)
        self._link = link
        self._wake()

    def _lost(self, link: _Link, reason: str) -> None:
        if link is self._link:
            self._link = None
            self._reason = reason
            self._redial.lost()

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _wake(self) -> None:
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)


class _Link(asyncio.Protocol):
    """One connection. What comes in was written by a process that nobody trusts."""

    def __init__(self, on_lost: Callable[[_Link, str], None]) -> None:
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._frames = Frames(wire.LONGEST_ANSWER)
        self._transport: asyncio.Transport | None = None
        self._numbers = count(1)
        self._pending: dict[int, asyncio.Future[Ran]] = {}
        self._owed = 0  # answers that may still come, and that nobody waits for any more
        self._reason = "its process died"
        self.clogged = False

    async def ask(self, packed: bytes, seconds: float) -> Ran:
        if self._transport is None:
            raise RuntimeFailure(self._reason, kind=CRASHED)
        if seconds <= 0.0:
            raise _too_late(seconds)
        number = next(self._numbers)
        try:
            self._transport.write(wire.ask(number, seconds, packed))
        except Malformed as error:
            raise RuntimeFailure(error.message) from error
        future: asyncio.Future[Ran] = self._loop.create_future()
        self._pending[number] = future
        timer = self._loop.call_later(seconds, _late, future, seconds)
        try:
            return await future
        finally:
            timer.cancel()
            if self._pending.pop(number, None) is not None:
                self._owed += 1

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._end()

    def pause_writing(self) -> None:
        self.clogged = True

    def resume_writing(self) -> None:
        self.clogged = False

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._frames.feed(data):
                self._heard(body)
        except Malformed as error:
            self._reason = f"its process does not keep to the protocol: {error.message}"
            self.close()

    def _heard(self, body: bytes) -> None:
        message = wire.heard_by_worker(body)
        if isinstance(message, Answer):
            ran = Ran(wire.unpack(message.outputs), message.seconds)
            if (future := self._awaited(message.id)) is not None:
                future.set_result(ran)
        elif isinstance(message, Failure):
            if (future := self._awaited(message.id)) is not None:
                future.set_exception(_failure(message))
        else:
            raise Malformed("outcomes came where answers belong")

    def _awaited(self, number: int) -> asyncio.Future[Ran] | None:
        future = self._pending.pop(number, None)
        if future is None:
            self._owed -= 1
            if self._owed < 0:
                raise Malformed(f"an answer to request {number} came, which nobody made")
            return None
        return future if not future.done() else None

    def _end(self) -> None:
        if self._transport is None:
            return
        self._transport = None
        for future in self._pending.values():
            if not future.done():
                future.set_exception(RuntimeFailure(self._reason, kind=CRASHED))
        self._on_lost(self, self._reason)


def _late(future: asyncio.Future[Ran], seconds: float) -> None:
    if not future.done():
        future.set_exception(_too_late(seconds))


def _too_late(seconds: float) -> RuntimeFailure:
    return RuntimeFailure(f"no answer within {max(0.0, seconds):.3g} s", kind=TIMEOUT)


def _failure(message: Failure) -> LockgateError:
    if message.kind == "overloaded":
        return Overloaded(message.message)
    return RuntimeFailure(message.message, kind=message.kind)
