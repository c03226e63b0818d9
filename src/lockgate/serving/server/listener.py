"""Granian, embedded in a worker's event loop, on a listening socket that belongs to the supervisor.

The socket outlives the worker: while a dead worker is being replaced, new connections wait in its backlog and are not refused.
"""

from __future__ import annotations

import os
from typing import Any, cast

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

BACKLOG = 1024


class Listener(Server):
    """`serve()` answers until `close()`; then it takes no new connection, finishes the requests under way, and returns."""

    def __init__(self, application: object, descriptor: int) -> None:
        super().__init__(
            application,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            websockets=False,
            backlog=BACKLOG,
            backpressure=BACKLOG,
            log_enabled=False,
        )
        self._descriptor = descriptor

    def close(self) -> None:
        self.signal_handler_interrupt()  # type: ignore[no-untyped-call]

    def _init_shared_socket(self) -> None:
        # Granian closes what it is given, so it gets a copy. Its own way is one SO_REUSEPORT socket for each worker, and what
        # waits in the backlog of a worker that dies is lost with it. Granian's stub does not know this constructor's arguments.
        holder = cast("Any", SocketHolder)(os.dup(self._descriptor), uds=False, backlog=BACKLOG)
        self._ssp, self._shd = None, cast("Any", holder)
