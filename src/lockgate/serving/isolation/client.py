"""A worker's link to the keeper: which packages it wants, what became of them, and the models that run elsewhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

from lockgate.runtimes.model import RuntimeFailure
from lockgate.serving.isolation import sockets
from lockgate.serving.isolation.frames import Frames, Malformed
from lockgate.serving.isolation.redial import Redial
from lockgate.serving.isolation.remote import CRASHED, RemoteModel
from lockgate.serving.isolation.shadow import Outcome, RemoteShadow
from lockgate.serving.isolation.talk import LONGEST, Phase, Told, Want, Wants, decode_told, encode
from lockgate.serving.isolation.verdicts import Verdict

_CONNECT = 5.0  # seconds: a process that says it is ready listens already

log = logging.getLogger(__name__)
OnChange = Callable[[Told], None]


def _unheard(_: Told) -> None:
    """Nobody wants to know."""


class Hosts:
    """Used by one event loop. keeper: its socket. on_change: called when the state of anything that is wanted changes.

    What was asked for is wanted until `close` or `close_shadow`, also while it fails: the keeper tries again, ever more rarely.
    Who has asked for it several times, and got it, must close it as often.
    """

    def __init__(self, keeper: Path, on_change: OnChange = _unheard) -> None:
        self._keeper = keeper
        self._on_change = on_change
        self._redial = Redial(self._dial)
        self._link: _Link | None = None
        self._lines: dict[Want, RemoteModel | RemoteShadow | None] = {}
        self._holds: dict[Want, int] = {}
        self._leaving: set[Want] = set()
        self._told: dict[Want, Told] = {}
        self._turns: dict[Want, set[asyncio.Future[None]]] = {}

    def start(self) -> None:
        self._redial.hold(self._keeper)

    def stop(self) -> None:
        """Let go of everything."""
        for want in list(self._lines):
            self._drop(want)
        self._redial.hold(None)
        link, self._link = self._link, None
        if link is not None:
            link.close()

    @property
    def connected(self) -> bool:
        return self._link is not None

    async def examine(self, digest: str) -> Verdict:
        """Whether this worker may load the package itself. Until `close`, the memory for it is accounted for."""
        want = Want(digest, isolated=False)
        if want not in self._lines:
            self._add(want, None)
        with self._held(want):
            told = await self._settled(want)
        if told.report is None:
            self._let_go(want)
        return Verdict(told.reason, told.report)

    async def open(self, digest: str, memory: int | None = None) -> RemoteModel:
        """The package in a process of its own, once it is ready. memory: bytes of data that the process may take.

        Raises:
            RuntimeFailure: it cannot be had now, with the keeper's reason. It goes on being wanted: ask again, or `close`.
        """
        want = Want(digest, isolated=True, memory=memory)
        line = self._lines.get(want)
        if line is None:
            line = RemoteModel()
            line.when_idle(partial(self._idle, want))
            self._add(want, line)
        model = cast("RemoteModel", line)
        with self._held(want):
            self._check(await self._settled(want))
            await model.connected_within(_CONNECT)
        return model

    async def open_shadow(
        self, digest: str, on_outcomes: Callable[[Sequence[Outcome]], None], seconds: float, memory: int | None = None
    ) -> RemoteShadow:
        """The same for a shadow. on_outcomes: see RemoteShadow. seconds: within which an outcome is worth having.

        Raises:
            RuntimeFailure: as `open`.
        """
        want = Want(digest, isolated=True, shadow=True, memory=memory)
        line = self._lines.get(want)
        if line is None:
            line = RemoteShadow(on_outcomes, seconds)
            self._add(want, line)
        with self._held(want):
            self._check(await self._settled(want))
        return cast("RemoteShadow", line)

    def close(self, digest: str) -> None:
        """The package is no longer wanted, but as a shadow if it is one. Requests that are under way are answered first."""
        self._close([want for want in self._lines if want.digest == digest and not want.shadow])

    def close_shadow(self, digest: str) -> None:
        """Offers that are under way come back as cancelled."""
        self._close([want for want in self._lines if want.digest == digest and want.shadow])

    def _close(self, wants: Sequence[Want]) -> None:
        for want in wants:
            self._let_go(want)
            if self._holds[want]:
                continue
            line = self._lines[want]
            if isinstance(line, RemoteModel) and not line.idle:
                self._leaving.add(want)
            else:
                self._drop(want)
        self._say()

    def _idle(self, want: Want) -> None:
        if want in self._leaving:
            self._drop(want)
            self._say()

    @contextmanager
    def _held(self, want: Want) -> Iterator[None]:
        """Wanted by one more, unless it comes to nothing."""
        self._leaving.discard(want)
        self._holds[want] += 1
        try:
            yield
        except BaseException:
            self._let_go(want)
            raise

    def _let_go(self, want: Want) -> None:
        if want in self._holds:
            self._holds[want] = max(0, self._holds[want] - 1)

    def _add(self, want: Want, line: RemoteModel | RemoteShadow | None) -> None:
        self._lines[want] = line
        self._holds[want] = 0
        self._say()

    def _drop(self, want: Want) -> None:
        line = self._lines.pop(want)
        del self._holds[want]
        self._leaving.discard(want)
        self._told.pop(want, None)
        if isinstance(line, RemoteShadow):
            line.close()
        elif line is not None:
            line.detach("it was closed", hopeless=True)
        self._wake(want)

    def _say(self) -> None:
        if self._link is not None:
            self._link.say(Wants(tuple(self._lines)))

    def _check(self, told: Told) -> None:
        if told.phase is Phase.FAILED:
            raise RuntimeFailure(told.reason, kind=CRASHED)

    async def _settled(self, want: Want) -> Told:
        """What the keeper has found out; waits for as long as that takes."""
        while want in self._lines:
            told = self._told.get(want)
            if told is not None and told.phase is not Phase.STARTING:
                return told
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            turns = self._turns.setdefault(want, set())
            turns.add(turn)
            try:
                await turn
            finally:
                turns.discard(turn)
        raise RuntimeFailure("it was closed", kind=CRASHED)

    def _wake(self, want: Want) -> None:
        for turn in self._turns.pop(want, ()):
            if not turn.done():
                turn.set_result(None)

    async def _dial(self, path: Path) -> None:
        sock = sockets.connect(path)
        link = _Link(self)
        await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=sock)
        self._link = link
        self._told.clear()  # what another keeper said; models keep the connections that they have
        self._say()

    def heard(self, told: Told) -> None:
        want = told.want
        if want not in self._lines:
            return  # it was closed meanwhile
        self._told[want] = told
        line = self._lines[want]
        if line is not None and told.phase is Phase.READY and told.socket is not None:
            line.attach(Path(told.socket))
        elif line is not None:
            line.detach(told.reason, hopeless=told.phase is Phase.FAILED)
        self._wake(want)
        self._on_change(told)

    def lost(self, link: _Link) -> None:
        if link is self._link:
            self._link = None
            self._redial.lost()


class _Link(asyncio.Protocol):
    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._frames = Frames(LONGEST)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._transport = None
        self._hosts.lost(self)

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._frames.feed(data):
                self._hosts.heard(decode_told(body))
        except Malformed as error:
            log.warning("keeper not understood", extra={"reason": error.message})
            self.close()

    def say(self, wants: Wants) -> None:
        if self._transport is not None:
            self._transport.write(encode(wants))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
