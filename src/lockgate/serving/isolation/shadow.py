"""A shadow, as a worker sees it: asked without waiting, answered in groups, and never a reason for the worker to slow down.

An offer is one write to a socket. If the socket's buffer is full, the offer is shed: nothing is queued here, but for the rest of
one message that found room in part. Every offer that was taken comes back exactly once, as an outcome or as its failure.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from lockgate.serving.isolation import sockets, wire
from lockgate.serving.isolation.frames import Frames, Malformed
from lockgate.serving.isolation.redial import Redial
from lockgate.serving.isolation.remote import CRASHED, TIMEOUT
from lockgate.serving.isolation.wire import Outcomes, Scored

CANCELLED = "cancelled"
MOST_PENDING = 8192
_SWEEP = 0.05  # seconds between two looks at deadlines
_GROUP = 32  # outcomes that are handed over at a time
_PIECE = 1 << 16  # bytes read at a time
_LONGEST = 16 << 20  # bytes of one group: an offer of a million rows
_BUFFER = 1 << 20  # bytes that the system is asked for; it gives what it allows, for some hundred offers
_OUTPUT = "output"


class Outcome(NamedTuple):
    """What became of one offer. scores: one for each row, finite; empty if it failed. failure: its kind, or None."""

    request_id: str
    seconds: float
    scores: Sequence[float] = ()
    failure: str | None = None
    message: str = ""


class _Offer(NamedTuple):
    request_id: str
    rows: int
    deadline: float


class RemoteShadow:
    """Used by one event loop. on_outcomes: called with small groups, so that none holds the loop up. timeout: of offers, seconds.

    taken, shed: how many offers were.
    """

    def __init__(self, on_outcomes: Callable[[Sequence[Outcome]], None], timeout: float) -> None:
        self._on_outcomes = on_outcomes
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._redial = Redial(self._dial)
        self._socket: socket.socket | None = None
        self._frames = Frames(_LONGEST)
        self._bodies: deque[bytes] = deque()
        self._tail: memoryview | None = None
        self._pending: dict[int, _Offer] = {}
        self._number = 0
        self._owed = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self.taken = self.shed = 0

    def offer(self, request_id: str, rows: int, packed: bytes) -> bool:
        """Ask, if that costs nothing. packed: wire.pack of the feeds, of so many rows. Returns False if it was shed."""
        sock = self._socket
        if sock is None or self._tail is not None or len(self._pending) >= MOST_PENDING:
            self.shed += 1
            return False
        number = self._number + 1
        try:
            frame = wire.offer(number, self._timeout, packed)
            sent = sock.send(frame)
        except (OSError, Malformed):  # the buffer is full; or the process died, which the reader hears too; or it is too long
            self.shed += 1
            return False
        if sent < len(frame):
            self._tail = memoryview(frame)[sent:]
            self._loop.add_writer(sock.fileno(), self._send_tail)
        self._number = number
        self._pending[number] = _Offer(request_id, rows, self._loop.time() + self._timeout)
        self.taken += 1
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(_SWEEP, self._sweep)
        return True

    @property
    def connected(self) -> bool:
        return self._socket is not None

    def attach(self, path: Path) -> None:
        """Its process listens there."""
        if self._socket is not None and path == self._redial.path:
            return
        self._drop("its process was replaced")
        self._redial.hold(path)

    def detach(self, reason: str, *, hopeless: bool) -> None:  # noqa: ARG002 - as RemoteModel: nobody waits for a shadow
        """Its process is gone."""
        self._redial.hold(None)
        self._drop(reason)

    def close(self) -> None:
        """Nobody wants it any more. What is under way is no failure of the model: it was cancelled."""
        self._redial.hold(None)
        self._drop("it was closed", CANCELLED)

    async def _dial(self, path: Path) -> None:
        sock = sockets.connect(path)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._socket = sock
        self._frames = Frames(_LONGEST)
        self._owed = 0
        self._loop.add_reader(sock.fileno(), self._readable)

    def _readable(self) -> None:
        if self._bodies or self._socket is None:
            return  # what has come is handed over first
        try:
            data = self._socket.recv(_PIECE)
            if not data:
                raise ConnectionResetError  # an end is as good as a reset
            self._bodies.extend(self._frames.feed(data))
        except BlockingIOError:
            return
        except OSError:
            self._lost("its process died")
        except Malformed as error:
            self._lost(f"its process does not keep to the protocol: {error.message}")
        else:
            self._next()

    def _next(self) -> None:
        """One message in each turn of the loop."""
        if not self._bodies:
            return
        try:
            message = wire.heard_by_worker(self._bodies.popleft())
            if not isinstance(message, Outcomes) or len(message.results) > _GROUP:
                raise Malformed("something else came where small groups of outcomes belong")  # noqa: TRY301
            outcomes = [outcome for result in message.results if (outcome := self._outcome(result)) is not None]
        except Malformed as error:
            self._lost(f"its process does not keep to the protocol: {error.message}")
            return
        if outcomes:
            self._on_outcomes(outcomes)
        if self._bodies:
            self._loop.call_soon(self._next)

    def _outcome(self, result: Scored) -> Outcome | None:
        offer = self._pending.pop(result.id, None)
        if offer is None:
            self._owed -= 1
            if self._owed < 0:
                raise Malformed(f"an outcome of offer {result.id} came, which nobody made")
            return None
        if result.scores is None:
            return Outcome(offer.request_id, result.seconds, (), result.kind, result.message)
        if len(result.scores) != offer.rows:
            message = f"{len(result.scores)} scores found for {offer.rows} rows"
            return Outcome(offer.request_id, result.seconds, (), _OUTPUT, message)
        return Outcome(offer.request_id, result.seconds, result.scores)

    def _send_tail(self) -> None:
        if self._socket is None or self._tail is None:
            return
        try:
            sent = self._socket.send(self._tail)
        except BlockingIOError:
            return
        except OSError:
            self._lost("its process died")
            return
        self._tail = self._tail[sent:]
        if not self._tail:
            self._tail = None
            self._loop.remove_writer(self._socket.fileno())

    def _sweep(self) -> None:
        """What was offered first has the first deadline."""
        now = self._loop.time()
        late = []
        for number, offer in self._pending.items():
            if offer.deadline > now:
                break
            late.append(number)
        self._owed += len(late)
        self._give_up(deque(self._pending.pop(number) for number in late), TIMEOUT, "no answer in time")
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep) if self._pending else None

    def _lost(self, reason: str) -> None:
        self._drop(reason)
        self._redial.lost()

    def _drop(self, reason: str, kind: str = CRASHED) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())
            sock.close()
        self._tail = None
        self._bodies.clear()
        gone, self._pending = deque(self._pending.values()), {}
        self._give_up(gone, kind, reason)

    def _give_up(self, gone: deque[_Offer], kind: str, message: str) -> None:
        """In groups too: thousands may have been under way."""
        group = [gone.popleft() for _ in range(min(_GROUP, len(gone)))]
        if gone:
            self._loop.call_soon(self._give_up, gone, kind, message)
        if group:
            self._on_outcomes([Outcome(offer.request_id, 0.0, (), kind, message) for offer in group])
