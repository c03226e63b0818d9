"""Work that is done again and again for as long as a process lives: no fault in it, and nothing the system refuses, ends it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

log = logging.getLogger(__name__)


async def steadily(work: Callable[[], None], seconds: float, complaint: str) -> None:
    """Do it every so many seconds, until cancelled. What it raises is told once in a row, and it is tried again."""
    failing = False
    while True:
        try:
            work()
            failing = False
        except Exception:
            if not failing:
                log.exception(complaint)
            failing = True
        await asyncio.sleep(seconds)
