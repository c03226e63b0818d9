"""Every 200 ms: close the block, keep it on disk, and leave the figures. Eight times as often: write records and access log.

Records in small portions: while they are encoded, the event loop has to share the interpreter, and a portion of 200 ms at 9,000
requests/s was a pause of 10 ms, which one answer in a hundred felt.

All disk work is done by a thread of its own, one task after the other. If it hangs, nothing here piles up without bound: the
book and the buffers of records and lines are full some time, and what finds no room is counted. No answer waits for any of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from errno import ENOSPC
from typing import TypeVar

import msgspec

from lockgate.kernel.clock import Clock
from lockgate.serving.capture.access import AccessLog
from lockgate.serving.capture.book import Cut
from lockgate.serving.capture.figures import FigureFiles
from lockgate.serving.capture.kept import Kept
from lockgate.serving.capture.ledger import Closed, Ledger
from lockgate.serving.capture.records import RecordLog
from lockgate.serving.capture.spool import Spool

INTERVAL = 0.2  # seconds between blocks
PORTION = INTERVAL / 8  # seconds between portions of records
SLOW_INTERVAL = 5.0  # while the control plane is away: fewer and larger blocks
BEHIND = 50  # unsent blocks from which on the slow interval holds

T = TypeVar("T")
log = logging.getLogger(__name__)


class Flusher:
    """Used by the event loop only. on_spooled: called when there is a block to be sent."""

    def __init__(
        self,
        ledger: Ledger,
        records: RecordLog,
        spool: Spool,
        files: FigureFiles,
        writer: Executor,
        clock: Clock,
        on_spooled: Callable[[], None],
        *,
        access: AccessLog | None = None,
    ) -> None:
        self._ledger = ledger
        self._records = records
        self._spool = spool
        self._files = files
        self._writer = writer
        self._clock = clock
        self._on_spooled = on_spooled
        self._access = access
        self._cut: Cut | None = None  # until its block is made
        self._waiting: Closed | None = None  # until its block is durable
        self._refused = False
        self._left = b""  # the figures that were saved last
        self._begun_at = clock.monotonic()  # keeping the last block
        self._turn = asyncio.Lock()
        self._rounds: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        failing = False
        while True:
            await asyncio.sleep(PORTION)
            try:
                await self._round(hurried=False)
                failing = False
            except Exception:
                # A fault in here must not end the telling for good: what was counted stands in the book and is tried again.
                if not failing:
                    log.exception("flush failed")
                failing = True

    async def flush(self) -> None:
        """Everything that came until now, and the counts of what was written of it."""
        await self._round(hurried=True)
        await self._round(hurried=True)

    async def finish(self) -> None:
        """The last flush: what is in flight is told as `aborted`, and what still comes of it is not counted."""
        self._ledger.book.seal(self._now())
        await self.flush()

    @property
    def full(self) -> bool:
        """No room even for labels and lessons."""
        return self._spool.full

    async def keep(self, kept: Kept) -> None:
        """Returns when a killed process can no longer lose it. It goes out with the block that comes next.

        If that would grow too large with it, it is made at once.

        Raises:
            OSError: the disk refuses it.
        """
        while not await self._in_writer(self._spool.keep, kept):
            await self._round(hurried=True)
            if self._refused:
                raise OSError(ENOSPC, "the disk refuses blocks")
        for name, number in (("labels", len(kept.feedback)), ("lessons", len(kept.lessons))):
            if number:
                self._ledger.count(name, number)

    async def _round(self, *, hurried: bool) -> None:
        """One after the other. A round that was begun is ended, also when nobody waits for it any more."""
        task = asyncio.ensure_future(self._write(hurried=hurried))
        self._rounds.add(task)
        task.add_done_callback(self._rounds.discard)
        await asyncio.shield(task)

    async def _write(self, *, hurried: bool) -> None:
        async with self._turn:
            if hurried or self._due:
                await self._keep_block()
                await self._leave_figures()
            await self._write_records()
            await self._write_access()

    @property
    def _due(self) -> bool:
        behind = self._spool.waiting >= BEHIND and not self._ledger.book.crowded
        return self._clock.monotonic() - self._begun_at >= (SLOW_INTERVAL if behind else INTERVAL) - PORTION / 2

    async def _keep_block(self) -> None:
        """A block that the disk refuses is tried again the next time; the next one is not begun before it is kept."""
        self._begun_at = self._clock.monotonic()
        if self._waiting is None:
            self._waiting = await self._closed()
        if self._waiting is None or not await self._kept(self._waiting):
            return
        self._on_spooled()
        self._ledger.settle(self._waiting)
        self._waiting = None
        self._ledger.figures.count("blocks_spooled")

    async def _leave_figures(self) -> None:
        """Also where no block was due: what was refused for its key's sake is nobody's evidence, and is counted all the same."""
        content = msgspec.msgpack.encode(self._ledger.figures)
        if content != self._left:
            self._left = content
            await self._in_writer(self._save_figures, content)

    async def _closed(self) -> Closed | None:
        self._cut = self._cut or self._ledger.cut(self._now(), owed=self._spool.owes)
        if self._cut is None:
            return None
        closed = await self._in_writer(self._ledger.close, self._cut)
        self._cut = None
        self._ledger.show(closed)
        return self._bounded(closed)

    def _bounded(self, closed: Closed) -> Closed:
        block = closed.block
        if not (block.cells or block.aside) or not self._spool.crowded:
            return closed
        self._ledger.figures.count("cells_dropped", len(block.cells))
        return closed._replace(block=msgspec.structs.replace(block, cells=(), aside=(), cells_dropped=len(block.cells)))

    async def _kept(self, closed: Closed) -> bool:
        try:
            await self._in_writer(self._spool.put, closed.block)
        except OSError as error:
            if not self._refused:
                log.warning("the disk refuses blocks", extra={"reason": str(error)})
            self._refused = True
            return False
        if self._refused:
            log.info("the disk takes blocks again")
        self._refused = False
        return True

    def _save_figures(self, content: bytes) -> None:
        try:
            self._files.save(content)
        except OSError as error:
            log.warning("figures not saved", extra={"reason": str(error)})

    async def _write_records(self) -> None:
        taken = self._records.take()
        if not taken.waiting and not taken.refused:
            return
        written = await self._in_writer(self._records.write, taken)
        for name, number in zip(("records_logged", "records_dropped", "segments_removed"), written, strict=True):
            if number:
                self._ledger.count(name, number)

    async def _write_access(self) -> None:
        if self._access is None:
            return
        taken = self._access.take()
        if taken.waiting or taken.refused:
            dropped = await self._in_writer(self._access.write, taken)
            if dropped:
                self._ledger.count("access_dropped", dropped)

    async def _in_writer(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, function, *arguments)

    def _now(self) -> float:
        return self._clock.now().timestamp()
