"""The life of one isolated package: its process is started, watched, and started again, for as long as somebody wants it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import NamedTuple

from lockgate.kernel.digest import short
from lockgate.kernel.errors import Invalid, LockgateError
from lockgate.serving.isolation.children import Child, ended
from lockgate.serving.isolation.lives import Lives, Next, after_death, after_refusal
from lockgate.serving.isolation.memory import allowance
from lockgate.serving.isolation.orders import Beat, Loaded
from lockgate.serving.isolation.shop import Crowded, Shop, Tell
from lockgate.serving.isolation.talk import Phase, Want
from lockgate.serving.isolation.verdicts import Verdict

log = logging.getLogger(__name__)


class _End(NamedTuple):
    """lived: seconds from ready. refused: it never was ready. crowded: there was no memory for it."""

    reason: str
    lived: float = 0.0
    refused: bool = False
    crowded: bool = False


class Hosting:
    def __init__(self, want: Want, shop: Shop, tell: Tell) -> None:
        self._want = want
        self._shop = shop
        self._tell = tell
        self._failed = False

    async def run(self) -> None:
        """Until cancelled."""
        lives = Lives()
        self._tell(Phase.STARTING)
        while True:
            end = await self._life()
            log.warning("host ended", extra={"package": short(self._want.digest), "reason": end.reason, "lived": end.lived})
            lives, pause, failed = self._next(lives, end)
            self._failed = failed
            self._tell(Phase.FAILED if failed else Phase.STARTING, reason=end.reason)
            await self._shop.pause(pause, until_freed=end.crowded)

    def _next(self, lives: Lives, end: _End) -> Next:
        patience = self._shop.settings.patience
        return after_refusal(lives, patience) if end.refused else after_death(lives, end.lived, patience)

    async def _life(self) -> _End:
        try:
            child, socket, report = await self._load()
        except LockgateError as error:
            return _End(error.message, refused=True, crowded=isinstance(error, Crowded))
        born = self._shop.clock.monotonic()
        try:
            self._tell(Phase.READY, socket=socket, report=report)
            reason = await self._watch(child)
        finally:
            code = await child.end()
            socket.unlink(missing_ok=True)
        lived = self._shop.clock.monotonic() - born
        return _End(reason or f"its process {ended(code)}", lived)

    async def _load(self) -> tuple[Child, Path, Loaded]:
        shop, want = self._shop, self._want
        known = shop.verdicts.get(want.digest)
        python = await shop.python(want)
        socket = shop.socket(want)
        async with shop.room(want, known.report if known is not None else None) as memory:
            # Whatever else bounds it: a process may not take what everybody else needs.
            child = await shop.start(want, python, socket, memory if memory is not None else allowance())
            try:
                report = await child.loaded(shop.settings.load_limit)
            except BaseException:
                await child.end()
                socket.unlink(missing_ok=True)
                raise
            shop.hold(want, report)
        shop.verdicts.keep(want.digest, Verdict(report=report))
        return child, socket, report

    async def _watch(self, child: Child) -> str | None:
        """Until the process ends (None), or must be ended: then why."""
        limit = self._shop.settings.hang_limit
        while True:
            try:
                async with asyncio.timeout(limit):  # `wait_for` of Python 3.11 loses a cancellation that meets a beat
                    status = await child.hear()
            except TimeoutError:
                child.alarm()
                return f"its process said nothing for {limit:g} s, so it was ended"
            except Invalid as error:
                return error.message
            if status is None:
                return None
            if isinstance(status, Beat):
                self._shop.uses(self._want, status.own)
                if status.busy > limit:
                    child.alarm()
                    return f"one run took more than {limit:g} s, so its process was ended"
