"""Read request bodies within bounds: of one body, of all large bodies together, and of the time that a caller may take."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from lockgate.serving.gateway.rsgi import HTTPProtocol, Scope
from lockgate.serving.protocol.problems import Answer, problem

LARGE = 256 << 10  # bytes from which a body counts against the room for large ones, and is solved in another thread
PATIENCE = 30.0  # seconds for one body to arrive
_DISCARD = 64 << 20  # bytes of a body that is too large which are read and thrown away, so that its sender gets to see the answer


class Turned(Exception):  # noqa: N818 - not an error here: an answer
    """The body was not taken; the answer says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Intake:
    """limit: bytes of one body. room: bytes of all large bodies that are in memory at one time."""

    def __init__(self, limit: int, room: int) -> None:
        self._limit = limit
        self._room = max(room, limit)
        self._held = 0
        self._reading: dict[asyncio.Task[object], float] = {}

    @contextmanager
    def held(self, size: int) -> Iterator[None]:
        """Keep room for a large body until its request is answered.

        Raises:
            Turned: there is none now.
        """
        if self._held + size > self._room:
            busy = problem(HTTPStatus.TOO_MANY_REQUESTS, "too many large requests at one time", headers=[("retry-after", "1")])
            raise Turned(busy)
        self._held += size
        try:
            yield
        finally:
            self._held -= size

    def announced(self, scope: Scope) -> int:
        """The size of the body that the caller announces; the limit if the caller does not say."""
        length = scope.headers.get("content-length")
        return int(length) if length is not None and length.isdigit() else self._limit

    async def read(self, scope: Scope, protocol: HTTPProtocol, announced: int) -> bytes:
        """The body.

        Raises:
            Turned: it is too large, or too slow.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        self._reading[task] = asyncio.get_running_loop().time()
        try:
            if announced > self._limit:
                await self._discard(scope, protocol)
                raise Turned(self._too_large())
            if scope.headers.get("content-length") is not None:
                return await protocol()
            return await self._collect(protocol)
        except asyncio.CancelledError:
            raise Turned(problem(HTTPStatus.REQUEST_TIMEOUT, f"the body did not arrive within {PATIENCE:g} seconds")) from None
        finally:
            del self._reading[task]

    def sweep(self) -> None:
        """Give up the bodies that take too long. Called once a second: cheaper than a timer for each request."""
        now = asyncio.get_running_loop().time()
        for task, since in list(self._reading.items()):
            if now - since > PATIENCE:
                task.cancel()

    async def _collect(self, protocol: HTTPProtocol) -> bytes:
        content = bytearray()
        async for chunk in protocol:
            content += chunk
            if len(content) > self._limit:
                raise Turned(self._too_large())
        return bytes(content)

    async def _discard(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """A sender that asks first (`Expect: 100-continue`) is answered at once; another one would not read before it has sent."""
        if scope.headers.get("expect") is not None:
            return
        seen = 0
        async for chunk in protocol:
            seen += len(chunk)
            if seen > _DISCARD:
                return

    def _too_large(self) -> Answer:
        return problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is larger than {self._limit} bytes",
            hint="Send fewer rows in one request.",
            headers=[("connection", "close")],
        )
