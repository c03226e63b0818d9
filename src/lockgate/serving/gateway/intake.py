"""Read request bodies within bounds: of one body, of all large bodies together, and of the time that a caller may take."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from lockgate.serving.gateway.rsgi import HTTPProtocol, Scope
from lockgate.serving.protocol.problems import Answer, problem

LARGE = 256 << 10  # bytes from which a body is solved in another thread
LONGEST_SIZE = 20  # digits of an announced size: Python refuses to read thousands of them
COUNTED = 16 << 10  # bytes from which a body counts against the room: thousands of callers may send theirs at one time
PATIENCE = 30.0  # seconds for one body to arrive
_DISCARD = 64 << 20  # bytes of a body that is too large which are read and thrown away, so that its sender gets to see the answer


class Turned(Exception):
    """The body was not taken; the answer says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Intake:
    """limit: bytes of one body. room: bytes of all large bodies that are in memory at one time. patience: seconds for a body."""

    def __init__(self, limit: int, room: int, patience: float = PATIENCE) -> None:
        self._limit = limit
        self._room = max(room, limit)
        self._patience = patience
        self._held = 0
        self._reading: dict[asyncio.Task[object], float] = {}

    async def read(self, scope: Scope, protocol: HTTPProtocol) -> bytes:
        """The body. Whoever gets a large one hands its room back with `release`.

        Raises:
            Turned: it is too large or too slow, or there is no room for it now.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        self._reading[task] = asyncio.get_running_loop().time()
        try:
            announced = scope.headers.get("content-length")
            if announced is None or not announced.isdigit() or len(announced) > LONGEST_SIZE:
                return await self._collect(protocol)
            if int(announced) < COUNTED and int(announced) <= self._limit:
                return await protocol()
            return await self._read_large(scope, protocol, int(announced))
        except asyncio.CancelledError:
            raise Turned(
                problem(HTTPStatus.REQUEST_TIMEOUT, f"the body did not arrive within {self._patience:g} seconds")
            ) from None
        finally:
            del self._reading[task]

    def release(self, body: bytes) -> None:
        if len(body) >= COUNTED:
            self._held -= len(body)

    def sweep(self) -> None:
        """Give up the bodies that take too long. Called once a second: cheaper than a timer for each request."""
        now = asyncio.get_running_loop().time()
        for task, since in list(self._reading.items()):
            if now - since > self._patience:
                task.cancel()

    async def _read_large(self, scope: Scope, protocol: HTTPProtocol, size: int) -> bytes:
        if size > self._limit:
            await self._discard(scope, protocol)
        self._hold(size, total=size)
        try:
            return await protocol()
        except BaseException:  # whatever ends it, cancelling too, its room is free again
            self._held -= size
            raise

    async def _collect(self, protocol: HTTPProtocol) -> bytes:
        """A body whose size is not announced: it takes its room as it grows."""
        content = bytearray()
        held = 0
        try:
            async for chunk in protocol:
                content += chunk
                if len(content) >= COUNTED or len(content) > self._limit:
                    self._hold(len(content) - held, total=len(content))
                    held = len(content)
        except BaseException:  # as above
            self._held -= held
            raise
        return bytes(content)

    def _hold(self, size: int, total: int) -> None:
        if total > self._limit:
            raise Turned(self._too_large())
        if self._held + size > self._room:
            raise Turned(
                problem(HTTPStatus.TOO_MANY_REQUESTS, "too many large requests at one time", headers=[("retry-after", "1")])
            )
        self._held += size

    async def _discard(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """A sender that asks first (`Expect: 100-continue`) is answered at once; another one does not read before it has sent."""
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
