"""Granian, embedded in a worker's event loop, on a listening socket that belongs to the supervisor.

The socket outlives the worker: while a dead worker is being replaced, new connections wait in its backlog and are not refused.

Requests are taken from Granian's scheduler, below its RSGI interface for applications: that one makes a task for each request and
crosses between its thread and the event loop twice, once to start the task and once with the body. Here the body of a small
request is asked for in Granian's thread, and the loop hears of the request when the body has come. It saves a quarter of what a
request costs (docs/explanation/http-server.md). What cannot be done so gets its task.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import Any, Protocol, Self, cast

from granian._granian import CallbackScheduler, RSGIWorker, SocketHolder
from granian._granian import RSGIProtocolClosed as ProtocolClosed
from granian._granian import RSGIProtocolError as ProtocolError
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from lockgate.boundary.exposure import Tls
from lockgate.serving.gateway.admission import Admission, stale
from lockgate.serving.gateway.intake import COUNTED, LONGEST_SIZE
from lockgate.serving.gateway.rsgi import Body, HTTPProtocol, Scope, Watcher
from lockgate.serving.protocol.problems import Answer, problem
from lockgate.serving.server.exposing import granian_options

BACKLOG = 1024  # connections that wait to be taken
CONNECTIONS = 16_384  # at a time: those that are silent cost some kilobytes each; how many requests wait is Admission's matter
BODY_PATIENCE = 30.0  # seconds for a small body to arrive
_OTHER_FILES = 256  # that a worker has open beside its connections
_CLOSE = ("connection", "close")
_MOST_MIDDLING = 256  # bodies from 16 KB on that may be awaited at a time: with them wait at most 64 MB
_SHED = problem(
    HTTPStatus.TOO_MANY_REQUESTS, "more requests wait here than can be answered in time", headers=[("retry-after", "1")]
)
_SLOW = problem(HTTPStatus.REQUEST_TIMEOUT, f"the body did not arrive within {BODY_PATIENCE:g} seconds", headers=[_CLOSE])

log = logging.getLogger(__name__)


OnAnswer = Callable[[float, Scope, int, Answer], None]


class Application(Protocol):
    def answer(self, scope: Scope, body: bytes) -> Answer | Coroutine[Any, Any, Answer]: ...

    async def read_and_answer(self, scope: Scope, protocol: HTTPProtocol) -> Answer: ...


class Listener(Server):
    """`run()` answers until `close()`; then it takes no new connection, finishes the requests under way, and returns."""

    def __init__(self, desk: Desk, descriptor: int, tls: Tls | None = None) -> None:
        super().__init__(
            desk,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            websockets=False,
            backlog=BACKLOG,
            backpressure=_connections(),
            log_enabled=False,
            **granian_options(tls),
        )
        self._descriptor = descriptor
        self._desk = desk

    async def run(self) -> None:
        await self.serve(cast("Any", partial(_spawn, self._desk)))

    def close(self) -> None:
        self.signal_handler_interrupt()  # type: ignore[no-untyped-call]

    def _init_shared_socket(self) -> None:
        # Granian closes what it is given, so it gets a copy. Its own way is one SO_REUSEPORT socket for each worker, and what
        # waits in the backlog of a worker that dies is lost with it. Granian's stub does not know this constructor's arguments.
        holder = cast("Any", SocketHolder)(os.dup(self._descriptor), uds=False, backlog=BACKLOG)
        self._ssp, self._shd = None, cast("Any", holder)


def _connections() -> int:
    """As many as there may be files open, after the process has allowed itself all that it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return CONNECTIONS if most == resource.RLIM_INFINITY else max(1, min(CONNECTIONS, most - _OTHER_FILES))


async def _spawn(desk: Desk, number: int, stopped: Any, _application: object, sockets: Any, *settings: Any) -> None:
    """What Granian's embedded server does for RSGI, with our scheduler and the threads of its stand-alone server.

    settings: threads of the runtime, its blocking threads, Python threads, their idle time-out, back-pressure, kind of task, HTTP
    mode, settings of HTTP/1 and HTTP/2, web sockets, static files, access log, TLS, options of the scope.
    """
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    stopped.add_cb(lambda: loop.call_soon_threadsafe(ended.set_result, None))
    *before, _task, mode, http1, http2, websockets, static, _access, tls, _scope = settings
    make = cast("Any", RSGIWorker)
    worker = make(number, sockets, None, *before, mode, http1, http2, websockets, static, *tls, (None, None))
    worker.serve_mtr(_Scheduler(loop, desk), loop, stopped)
    await ended


class _Scheduler(CallbackScheduler):
    """Where Granian hands requests over: `_schedule_fn` is called in its thread."""

    __slots__ = ()

    def __new__(cls, loop: asyncio.AbstractEventLoop, _: Desk) -> Self:
        return cast("Self", cast("Any", super()).__new__(cls, loop, None, None, None, None))

    def __init__(self, loop: asyncio.AbstractEventLoop, desk: Desk) -> None:
        super().__init__()
        self._schedule_fn = partial(desk.take, loop, self._ctx)


class Desk:
    """Requests between Granian's thread and the event loop. small: bytes up to which a body is awaited before anything else.

    access_log: called for each request with when it came (monotonic seconds), the request, the size of its body, and its answer.
    """

    def __init__(self, application: Application, admission: Admission, small: int, access_log: OnAnswer | None = None) -> None:
        self._access_log = access_log
        self._small = small
        self._application = application
        self._admission = admission
        self._waiting: dict[Watcher, float] = {}  # small requests whose body has not been handled → since when
        self._tasks: set[asyncio.Task[None]] = set()
        self._handled = self._followed = 0
        self.draining = False

    @property
    def delay(self) -> float:
        """Seconds that one more request would wait for the loop."""
        return self._admission.delay(len(self._waiting))

    def crowding(self) -> float:
        """Since it was last asked: the share of requests behind which another one waited. Near 1: no time to spare."""
        share = self._followed / max(1, self._handled)
        self._handled = self._followed = 0
        return share

    def take(self, loop: asyncio.AbstractEventLoop, context: Any, watcher: Watcher) -> None:
        """In Granian's thread, which takes no request any more once an exception has left this function."""
        try:
            self._take(loop, context, watcher)
        except Exception as error:  # noqa: BLE001 - see _fault
            self._waiting.pop(watcher, None)
            with suppress(ProtocolClosed, ProtocolError):
                self._reply(watcher, watcher.scope, _fault(watcher, error), monotonic(), 0)

    def _take(self, loop: asyncio.AbstractEventLoop, context: Any, watcher: Watcher) -> None:
        """A refusal is given at once: under overload it must cost as little as can be."""
        scope = watcher.scope
        size = scope.headers.get("content-length")
        now = monotonic()
        if size is None or len(size) > LONGEST_SIZE or not size.isdigit() or int(size) > self._small:
            loop.call_soon_threadsafe(self._begin, watcher, now, context=context)
            return
        crowd = int(size) >= COUNTED and len(self._waiting) >= _MOST_MIDDLING
        if crowd or self._admission.full(len(self._waiting), scope.path):
            self._reply(watcher, scope, _SHED, now, 0)
            return
        self._waiting[watcher] = now
        cast("Body", watcher.proto()).add_done_callback(partial(self._arrived, watcher, scope), context=context)

    def sweep(self) -> None:
        """Give up small bodies that take too long. Called a few times a second: cheaper than a timer for each request."""
        now = monotonic()
        waiting = list(self._waiting.items())
        self._admission.stale = stale([since for _, since in waiting], now)
        for watcher, since in waiting:
            if now - since > BODY_PATIENCE and self._waiting.pop(watcher, None) is not None:
                self._reply(watcher, watcher.scope, _SLOW, since, 0)

    def _arrived(self, watcher: Watcher, scope: Scope, body: Body) -> None:
        since = self._waiting.pop(watcher, None)
        if since is None:
            return  # given up
        begun = monotonic()
        try:
            content = body.result()
        except (ProtocolClosed, ProtocolError) as error:
            error.__traceback__ = None  # the body keeps the error, which would keep this frame, which keeps the body: for ever
            watcher.done()  # the caller went away in the middle of its request
            return
        try:
            answering = self._application.answer(scope, content)
        except Exception as error:  # noqa: BLE001 - see _fault
            answering = _fault(watcher, error)
        if type(answering) is Answer:
            self._reply(watcher, scope, answering, since, len(content))
        else:
            self._start(watcher, since, len(content), cast("Coroutine[Any, Any, Answer]", answering))
        self._handled += 1
        self._followed += len(self._waiting) > self._admission.stale
        self._admission.done(begun, monotonic())

    def _begin(self, watcher: Watcher, since: float) -> None:
        self._start(watcher, since, 0, self._application.read_and_answer(watcher.scope, watcher.proto))

    def _start(self, watcher: Watcher, since: float, size: int, answering: Coroutine[Any, Any, Answer]) -> None:
        task = asyncio.get_running_loop().create_task(self._finish(watcher, since, size, answering))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, watcher: Watcher, since: float, size: int, answering: Coroutine[Any, Any, Answer]) -> None:
        try:
            answer = await answering
        except (ProtocolClosed, ProtocolError):
            watcher.done()
            return
        except Exception as error:  # noqa: BLE001 - see _fault
            answer = _fault(watcher, error)
        self._reply(watcher, watcher.scope, answer, since, size)

    def _reply(self, watcher: Watcher, scope: Scope, answer: Answer, since: float, size: int) -> None:
        """since: when the request came, monotonic seconds. size: bytes of its body, where it is known here."""
        headers = [*answer.headers, _CLOSE] if self.draining else answer.headers
        try:
            watcher.proto.response_bytes(answer.status, headers, answer.body)
        finally:
            watcher.done()
        if self._access_log is not None:
            self._access_log(since, scope, size, answer)


def _fault(watcher: Watcher, error: Exception) -> Answer:
    """The last resort of a server: a fault in its code costs one answer, never the worker, and the log is told in full."""
    log.error("request failed", exc_info=error, extra={"path": watcher.scope.path})
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the gateway failed on this request; its log says why")
