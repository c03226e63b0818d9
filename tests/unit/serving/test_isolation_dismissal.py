"""Who is dismissed goes, also when a beat comes in the same turn of the event loop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

from lockgate.serving.isolation.children import Child
from lockgate.serving.isolation.hosting import Hosting
from lockgate.serving.isolation.orders import Beat, Status
from lockgate.serving.isolation.shop import Settings, Shop
from lockgate.serving.isolation.talk import Want
from lockgate.testing.clock import VirtualClock


class Talker:
    """The one thing of a child that is watched: what it says."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Status] = asyncio.Queue()

    async def hear(self) -> Status:
        return await self.said.get()


async def _dismissed_at_a_beat(folder: Path) -> bool:
    shop = Shop(folder / "home", folder / "artifacts", Settings(hang_limit=60.0), VirtualClock())
    hosting = Hosting(Want("sha256:" + "0" * 64, isolated=True), shop, cast("Any", None))
    talker = Talker()
    watching = asyncio.create_task(hosting._watch(cast("Child", talker)))
    for _ in range(3):
        await asyncio.sleep(0)
    talker.said.put_nowait(Beat(0.0, 1))
    await asyncio.sleep(0)
    watching.cancel()
    await asyncio.wait([watching], timeout=2.0)
    gone = watching.done()
    watching.cancel()
    return gone


def test_a_dismissal_is_not_lost_to_a_beat(tmp_path: Path) -> None:
    assert asyncio.run(_dismissed_at_a_beat(tmp_path))
