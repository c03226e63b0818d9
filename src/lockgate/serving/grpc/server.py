"""gRPC, embedded in a worker's event loop, taken from the library below its own servers.

Neither of those will do. The one for asyncio (grpcio 1.85) ends, for everybody, with the first request whose path is not UTF-8;
it makes three tasks for each call and costs two to three times as much; and it does not tell how many calls wait. The one with
threads gives each slow sender a thread. Both are made of what is used here: a completion queue, which one thread empties, and
batches of operations on calls. That thread refuses what there is no room for; the event loop hears of a call when its message
has come.

Each worker has a listening socket of its own on the same port (SO_REUSEPORT), because gRPC takes no socket that is handed down:
new connections are spread by the system. `port` keeps the number.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import Any, NamedTuple, Protocol

from lockgate.boundary.exposure import Tls
from lockgate.kernel.errors import Unavailable
from lockgate.serving.gateway.admission import Admission, stale
from lockgate.serving.gateway.inference import Answering
from lockgate.serving.gateway.intake import LARGE
from lockgate.serving.gateway.rsgi import Scope
from lockgate.serving.grpc.call import Call
from lockgate.serving.grpc.port import address_of
from lockgate.serving.grpc.statuses import OK, Status, status_of
from lockgate.serving.protocol.problems import Answer, problem

# Before the library is loaded: whenever a handshake fails, which anybody can make it do, it writes to what is our log.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
from grpc._cython import cygrpc

MOST_UNDER_WAY = 1024  # calls of one worker, those included whose message is still on its way
MOST_OF_A_CONNECTION = 128  # more wait with their client
PATIENCE = 30.0  # seconds for a message to arrive
SILENCE = 1.0  # seconds without its message after which a call gives its place up to one that finds none
_OUTSTANDING = 16  # calls that the library may hand over at one time
_CONNECTION_AGE = 300_000  # milliseconds, after which clients connect again: so that new workers get their share
_AGE_GRACE = 60_000
_KEEPALIVE = 60_000  # milliseconds without a word after which a client is asked whether it is there
_NO_FLAGS = 0
_JOIN = 2.0  # seconds for the thread to end
_BACK_SOON = [("retry-after", "1")]
_SHED = problem(HTTPStatus.TOO_MANY_REQUESTS, "more calls wait here than can be answered in time", headers=_BACK_SOON)
_NO_ROOM = problem(HTTPStatus.TOO_MANY_REQUESTS, "too many large requests at one time", headers=_BACK_SOON)
_SLOW = problem(HTTPStatus.REQUEST_TIMEOUT, f"the message did not arrive within {PATIENCE:g} seconds")
_OUSTED = problem(
    HTTPStatus.TOO_MANY_REQUESTS, "the message did not come, and others waited for this call's place", headers=_BACK_SOON
)
_EMPTY = problem(HTTPStatus.BAD_REQUEST, "a message was expected, and none came, or one that is too large")

log = logging.getLogger(__name__)
logging.getLogger("grpc._cython.cygrpc").disabled = True  # it tells of each header that is not UTF-8, and reads it as Latin-1

OnAnswer = Callable[[float, Scope, int, Answer], None]


class Door(NamedTuple):
    """Where to listen, and what may come in. message_limit: bytes of one message. room: bytes of all large ones together."""

    host: str
    port: int
    tls: Tls | None
    message_limit: int
    room: int


class Application(Protocol):
    """What answers; asked by the event loop only."""

    @property
    def closed(self) -> bool: ...
    def refusal(self, call: Call) -> Answer | None: ...
    def answer(self, call: Call, body: bytes) -> Answering: ...
    def turned_away(self, number: int) -> None: ...


class _Line:
    """One call between the library and us. gone: nobody waits for it any more. held: bytes of its message, if it is large.

    asked: since when its message is waited for; None before, and once it has come.
    """

    __slots__ = ("asked", "call", "gone", "handle", "held", "since")

    def __init__(self, handle: Any, call: Call) -> None:
        self.handle = handle
        self.call = call
        self.since = monotonic()
        self.asked: float | None = None
        self.gone = False
        self.held = 0


class Server:
    """`start`, then `stop` once. access_log: as in the worker's listener."""

    def __init__(self, application: Application, door: Door, admission: Admission, access_log: OnAnswer | None = None) -> None:
        self._application = application
        self._admission = admission
        self._access_log = access_log
        self._room = max(door.room, door.message_limit)
        self._held = 0
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[_Line, float] = {}  # calls whose message has not been handled → since when
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused: list[str] = []  # methods of calls for which there was no place, not counted yet
        self._closing = False
        self._dead = False  # the queue has ended: the library ends the process of who still uses it
        self._queue: Any = cygrpc.CompletionQueue()
        self._server: Any = cygrpc.Server(_options(door), False)  # noqa: FBT003 - not by xDS
        self._server.register_completion_queue(self._queue)
        self._thread = threading.Thread(target=self._poll, name="grpc", daemon=True)
        self._door = door

    @property
    def delay(self) -> float:
        """Seconds that one more call would wait for the loop."""
        return self._admission.delay(len(self._waiting))

    def start(self) -> None:
        """Raises Unavailable if it cannot listen there."""
        self._listen(self._door)  # not before: what connects from here on waits for an answer
        self._server.start()
        for _ in range(_OUTSTANDING):
            self._ask_for_a_call()
        self._thread.start()

    async def stop(self, patience: float) -> None:
        """Take no more calls, tell clients to go elsewhere, and finish what is under way within so many seconds."""
        ended = self._loop.create_future()
        self._closing = True
        self._server.shutdown(self._queue, lambda _: self._loop.call_soon_threadsafe(ended.set_result, None))
        _, late = await asyncio.wait([ended], timeout=patience)
        if late:
            log.warning("calls cut off", extra={"after_seconds": patience, "calls": len(self._waiting) + len(self._tasks)})
            self._server.cancel_all_calls()
            await asyncio.wait([ended], timeout=_JOIN)
        self._dead = True
        if ended.done():
            self._server.destroy()
        self._queue.shutdown()
        await asyncio.to_thread(self._thread.join, _JOIN)

    def sweep(self) -> None:
        """Give up messages that take too long, and count what was refused. Called a few times a second."""
        now = monotonic()
        waiting = list(self._waiting.items())
        self._admission.stale = stale([since for _, since in waiting], now)
        for line, since in waiting:
            if now - since > PATIENCE and self._waiting.pop(line, None) is not None:
                self._reply(line, _SLOW, 0)
        refused, self._refused = self._refused, []
        shed = len(refused) + self._admission.take_shed().total()
        if shed:
            self._application.turned_away(shed)

    def _listen(self, door: Door) -> None:
        address = address_of(door.host, door.port).encode()
        credentials = () if door.tls is None else (_credentials(door.tls)._credentials,)  # noqa: SLF001 - as the library does
        try:
            bound = self._server.add_http2_port(address, *credentials)
        except RuntimeError as error:
            raise Unavailable(f"gRPC cannot listen on {door.host}:{door.port}: {error}") from error
        if not bound:
            raise Unavailable(f"gRPC cannot listen on {door.host}:{door.port}")

    # In the thread that empties the queue: as little as can be.

    def _poll(self) -> None:
        while True:
            try:
                event = self._queue.poll(None)
                if event.tag is None:
                    return  # the queue has ended
                event.tag(event)
            except Exception as error:  # no call would come any more if this thread ended
                if self._closing:
                    continue
                log.error("gRPC event failed", exc_info=error)  # noqa: TRY400 - the log's own form
                self._ask_for_a_call()  # it may have been the one that brings the next call
            event = None  # the last one must not outlive its call

    def _ask_for_a_call(self) -> None:
        with suppress(ValueError):  # it began to close in this moment
            self._server.request_call(self._queue, self._queue, self._came)

    def _came(self, event: Any) -> None:
        if not self._closing:
            self._ask_for_a_call()
        handle, details = event.call, event.call_details
        if handle is None or not event.success:
            return
        name = details.method.decode(errors="replace")
        line = _Line(handle, Call(name, event.invocation_metadata, details.deadline, handle.peer))
        handle.start_server_batch((cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),), partial(self._ended, line))
        if self._is_full(name):
            self._send(line, status_of(_SHED), b"")
            return
        self._waiting[line] = line.since
        if self._application.closed:
            self._loop.call_soon_threadsafe(self._look, line)
        else:
            self._read(line)

    def _is_full(self, name: str) -> bool:
        if len(self._waiting) + len(self._tasks) < MOST_UNDER_WAY or self._oust():
            return self._admission.full(len(self._waiting), name)
        self._refused.append(name)
        return True

    def _oust(self) -> bool:
        """Whether a silent call has given up its place: else those who only begin calls would shut all others out."""
        now = monotonic()
        for line in list(self._waiting):
            if line.asked is not None and now - line.asked > SILENCE and self._waiting.pop(line, None) is not None:
                self._loop.call_soon_threadsafe(self._reply, line, _OUSTED, 0)
                return True
        return False

    def _read(self, line: _Line) -> None:
        """In either thread."""
        if self._dead:
            return
        line.asked = monotonic()
        line.handle.start_server_batch((cygrpc.ReceiveMessageOperation(_NO_FLAGS),), partial(self._arrived, line))

    def _arrived(self, line: _Line, event: Any) -> None:
        line.asked = None
        self._loop.call_soon_threadsafe(self._handle, line, event.batch_operations[0].message())

    def _ended(self, line: _Line, event: Any) -> None:
        line.gone = event.batch_operations[0].cancelled()

    # In the event loop.

    def _look(self, line: _Line) -> None:
        refusal = self._guarded(line, lambda: self._application.refusal(line.call))
        if refusal is None:
            self._read(line)
        elif self._waiting.pop(line, None) is not None:
            self._reply(line, refusal, 0)

    def _handle(self, line: _Line, body: bytes | None) -> None:
        if self._waiting.pop(line, None) is None:
            return  # given up
        if line.gone:
            return
        if body is None:
            self._reply(line, _EMPTY, 0)
            return
        if not self._has_room(line, len(body)):
            self._application.turned_away(1)
            self._reply(line, _NO_ROOM, len(body))
            return
        begun = monotonic()
        answering = self._guarded(line, lambda: self._application.answer(line.call, body))
        if isinstance(answering, Answer):
            self._reply(line, answering, len(body))
        else:
            task = self._loop.create_task(self._finish(line, len(body), answering))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._admission.done(begun, monotonic())

    def _has_room(self, line: _Line, size: int) -> bool:
        if size < LARGE:
            return True
        if self._held + size > self._room:
            return False
        self._held += size
        line.held = size
        return True

    async def _finish(self, line: _Line, size: int, answering: Coroutine[Any, Any, Answer]) -> None:
        """To its end, also when the caller has gone: what was admitted is counted."""
        try:
            answer = await answering
        except Exception as error:  # noqa: BLE001 - see _fault
            answer = _fault(line, error)
        self._reply(line, answer, size)

    def _guarded(self, line: _Line, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Exception as error:  # noqa: BLE001 - see _fault
            return _fault(line, error)

    def _reply(self, line: _Line, answer: Answer, size: int) -> None:
        """size: bytes of the message."""
        self._held -= line.held
        self._send(line, status_of(answer), answer.body)
        if self._access_log is not None:
            line.call.method = "gRPC"
            self._access_log(line.since, line.call, size, answer)

    def _send(self, line: _Line, status: Status, body: bytes) -> None:
        """In either thread."""
        if self._dead:
            return
        first = cygrpc.SendInitialMetadataOperation((), _NO_FLAGS)
        last = cygrpc.SendStatusFromServerOperation(status.metadata, status.code, status.message, _NO_FLAGS)
        middle = (cygrpc.SendMessageOperation(body, _NO_FLAGS),) if status.code == OK else ()
        line.handle.start_server_batch((first, *middle, last), _sent)


def _sent(_: object) -> None:
    """Whether it arrived is nobody's business here: who has gone away has gone."""


def _fault(line: _Line, error: Exception) -> Answer:
    """The last resort of a server: a fault in its code costs one answer, never the worker, and the log is told in full."""
    log.error("request failed", exc_info=error, extra={"path": line.call.path})
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the gateway failed on this request; its log says why")


def _credentials(tls: Tls) -> Any:
    """Raises Unavailable if a file cannot be read."""
    try:
        authority = tls.client_ca.read_bytes() if tls.client_ca is not None else None
        pair = tls.key.read_bytes(), tls.certificate.read_bytes()
    except OSError as error:
        raise Unavailable(f"{error.filename} cannot be read: {error.strerror}") from error
    return grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None)


def _options(door: Door) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", door.message_limit),
        ("grpc.max_concurrent_streams", MOST_OF_A_CONNECTION),
        ("grpc.max_connection_age_ms", _CONNECTION_AGE),
        ("grpc.max_connection_age_grace_ms", _AGE_GRACE),
        ("grpc.keepalive_time_ms", _KEEPALIVE),
        ("grpc.server_max_unrequested_time_in_server", 1),
    ]
