"""What labels and lessons have in common: read without holding others up, and acknowledged only once nothing can be lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from http import HTTPStatus
from typing import TypeVar

from lockgate.kernel.errors import InvalidInput
from lockgate.serving.capture.flusher import Flusher
from lockgate.serving.capture.kept import Kept
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.gateway.intake import LARGE
from lockgate.serving.protocol.problems import Answer, problem, refusal

_LATER = [("retry-after", "5")]

T = TypeVar("T")
log = logging.getLogger(__name__)


class Accepting:
    """Used by the event loop only. large: a thread for what would hold others up. heard: whether there is a control plane."""

    def __init__(self, flusher: Flusher, ledger: Ledger, large: Executor, *, heard: bool = True) -> None:
        self._heard = heard
        self._flusher = flusher
        self._ledger = ledger
        self._large = large

    async def read(self, read: Callable[[], T], size: int) -> T:
        """What `read` makes of a body of so many bytes."""
        if size < LARGE:
            return read()
        return await asyncio.get_running_loop().run_in_executor(self._large, read)

    def refused(self, error: InvalidInput, status: HTTPStatus | None = None) -> Answer:
        self._ledger.count("rejected")
        return refusal(error, status)

    async def keep(self, what: str, parts: list[Kept]) -> Answer | None:
        """None once a killed process can no longer lose any of it; else what is answered in place of 202.

        what: «labels», say. parts: each small enough for a block; the list is used up. If not all of them are kept, some may be:
        what is sent again does no harm.
        """
        if not self._heard:
            self._ledger.count("rejected")
            return problem(HTTPStatus.NOT_IMPLEMENTED, f"this server has no control plane that {what} could be for")
        if self._flusher.full:
            self._ledger.count("shed")
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, f"there is no room for {what} now", headers=_LATER)
        try:
            while parts:
                await self._flusher.keep(parts.pop(0))  # let go of one by one: to free them all at a time would take its time
        except OSError as error:
            log.warning("not kept", extra={"what": what, "reason": str(error)})
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, f"the {what} cannot be kept: {error.strerror}", headers=_LATER)
        return None
