"""Every 200 ms: write the records, close the block, keep it on disk, leave the figures. Disk work has a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor

import msgspec

from lockgate.boundary.observations import Block, Feedback
from lockgate.kernel.clock import Clock
from lockgate.serving.capture.figures import FigureFiles
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.records import RecordLog
from lockgate.serving.capture.spool import Spool

INTERVAL = 0.2  # seconds
SLOW_INTERVAL = 5.0  # while the control plane is away: fewer and larger blocks
BEHIND = 50  # unsent blocks from which on the slow interval holds
ROOM = 64 << 20  # bytes of unsent blocks above which cells are dropped, and above twice of which labels are refused
PATIENCE = 60.0  # seconds that a block waits for a disk that refuses it

log = logging.getLogger(__name__)


class Flusher:
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
        room: int = ROOM,
    ) -> None:
        self._ledger = ledger
        self._records = records
        self._spool = spool
        self._files = files
        self._writer = writer
        self._clock = clock
        self._on_spooled = on_spooled
        self._room = room
        self._waiting: Block | None = None
        self._refused_since: float | None = None

    async def run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL if self._spool.waiting < BEHIND else SLOW_INTERVAL)
            await self.flush()

    async def flush(self) -> None:
        await self._write_records()
        if self._waiting is None:
            self._waiting = self._bounded(self._ledger.close(self._clock.now().timestamp()))
        if self._waiting is not None and await self._kept(self._waiting):
            self._waiting = None
            self._ledger.figures.count("blocks_spooled")
            self._on_spooled()
            await self._in_writer(self._files.save, msgspec.msgpack.encode(self._ledger.figures))

    @property
    def full(self) -> bool:
        """No room even for labels."""
        return self._spool.size > 2 * self._room

    async def keep_labels(self, labels: list[Feedback]) -> None:
        """Returns when a killed process can no longer lose them. They go out with the block that is open now.

        Raises:
            OSError: the disk refuses them.
        """
        kept = self._in_writer(self._spool.put_labels, self._ledger.sequence, labels)
        self._ledger.label(labels)  # no await in between: the writer takes its tasks in order, so the block comes after them
        await kept

    def _in_writer(self, function: Callable[..., object], *arguments: object) -> asyncio.Future[object]:
        return asyncio.get_running_loop().run_in_executor(self._writer, function, *arguments)

    async def _write_records(self) -> None:
        content, framed, refused = self._records.take()
        if framed:
            written = await self._in_writer(self._records.write, content)
            self._ledger.count("records_logged" if written else "records_dropped", framed)
        if refused:
            self._ledger.count("records_dropped", refused)

    def _bounded(self, block: Block | None) -> Block | None:
        if block is None or not block.cells or self._spool.size <= self._room:
            return block
        self._ledger.figures.count("cells_dropped", len(block.cells))
        return msgspec.structs.replace(block, cells=(), cells_dropped=len(block.cells))

    async def _kept(self, block: Block) -> bool:
        """Whether the block needs no more care: it is on disk, or the disk refused it for too long."""
        try:
            await self._in_writer(self._spool.put, block)
        except OSError as error:
            now = self._clock.monotonic()
            if self._refused_since is None:
                log.warning("spool refuses blocks", extra={"reason": str(error)})
                self._refused_since = now
            if now - self._refused_since < PATIENCE:
                return False
            self._ledger.figures.count("cells_dropped", len(block.cells))
        self._refused_since = None
        return True
