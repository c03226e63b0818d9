"""Loading a package once in a process that is thrown away, before any worker loads it: if it crashes or hangs, then there."""

from __future__ import annotations

import logging

from lockgate.kernel.digest import short
from lockgate.kernel.errors import LockgateError
from lockgate.serving.isolation.children import NotLoaded
from lockgate.serving.isolation.lives import Lives, after_refusal
from lockgate.serving.isolation.memory import allowance
from lockgate.serving.isolation.orders import Loaded
from lockgate.serving.isolation.shop import Crowded, Shop, Tell
from lockgate.serving.isolation.talk import Phase, Want
from lockgate.serving.isolation.verdicts import Verdict

_KNOWN = 5  # refusals that a verdict which was kept counts as: it is not found out again at once

log = logging.getLogger(__name__)


class Examining:
    def __init__(self, want: Want, shop: Shop, tell: Tell) -> None:
        self._want = want
        self._shop = shop
        self._tell = tell

    async def run(self) -> None:
        """Until there is a verdict that lasts, or cancelled."""
        verdict = self._shop.verdicts.get(self._want.digest)
        lives = Lives(refusals=_KNOWN if verdict is not None else 0)
        if verdict is None:
            self._tell(Phase.STARTING)
            verdict = await self._examine()
        while (reason := await self._refused(verdict)) is not None:
            self._tell(Phase.FAILED, reason=reason)
            lives, pause, _ = after_refusal(lives, self._shop.settings.patience)
            await self._shop.pause(pause, until_freed=True)
            if not verdict.ok:
                verdict = await self._examine()
        self._tell(Phase.READY, report=verdict.report)

    async def _refused(self, verdict: Verdict) -> str | None:
        """Why no worker may load it; None if they may, and then the memory for it is theirs."""
        if verdict.report is None:
            return verdict.reason
        try:
            async with self._shop.room(self._want, verdict.report):
                self._shop.hold(self._want, verdict.report)
        except Crowded as error:
            return error.message
        return None

    async def _examine(self) -> Verdict:
        digest = self._want.digest
        try:
            verdict = Verdict(report=await self._load())
        except NotLoaded as error:
            verdict = Verdict(error.message, lasting=error.lasting)
        except LockgateError as error:
            verdict = Verdict(error.message, lasting=False)
        self._shop.verdicts.keep(digest, verdict)
        log.info("package examined", extra={"package": short(digest), "ok": verdict.ok, "reason": verdict.reason})
        return verdict

    async def _load(self) -> Loaded:
        shop, want = self._shop, self._want
        python = await shop.python(want)
        async with shop.examining, shop.room(want, None) as memory:
            amounts = [amount for amount in (memory, allowance()) if amount is not None]
            child = await shop.start(want, python, None, min(amounts, default=None))
            try:
                return await child.loaded(shop.settings.load_limit)
            finally:
                await child.end()
