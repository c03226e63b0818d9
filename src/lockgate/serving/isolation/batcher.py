"""The queue in front of a model: requests gather in the event loop, batches run in one other thread.

The loop never computes: so a model that hangs is seen (`busy`), requests past their deadline are let go of, and what finds no
room is refused. `pace` decides when a batch goes and how large it is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from lockgate.kernel.clock import Clock
from lockgate.serving.isolation.batching import LATE, Outcome, Result, Runner, Work
from lockgate.serving.isolation.pace import Limits, Ran, Waiting, after, first, wait


class Batcher:
    """Used by the event loop only. thread: the one that loaded the model; libraries may keep to it.

    base: seconds that a small batch takes, if that is known. alone: requests never share a run. on_exhausted: called when memory
    ran out in a run, after it was answered.
    """

    def __init__(
        self,
        runner: Runner,
        thread: Executor,
        limits: Limits,
        clock: Clock,
        *,
        base: float = 0.0,
        alone: bool = False,
        on_exhausted: Callable[[], None] = lambda: None,
    ) -> None:
        self._runner = runner
        self._thread = thread
        self._limits = limits
        self._clock = clock
        self._alone = alone
        self._on_exhausted = on_exhausted
        self._loop = asyncio.get_running_loop()
        self._pace = first(limits, base)
        self._queue: deque[Work] = deque()
        self._rows = self._bytes = 0
        self._running = False
        self._gathered = False  # the first in the queue came while the model ran
        self._free_since = clock.monotonic()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def full(self) -> bool:
        return len(self._queue) >= self._limits.queued_requests or self._bytes >= self._limits.queued_bytes

    @property
    def queued(self) -> int:
        return len(self._queue)

    def busy(self, now: float) -> float:
        """Seconds that the run under way has taken; 0 if none is."""
        since = self._runner.busy_since
        return now - since if since is not None else 0.0

    def submit(self, work: Work) -> None:
        """Take a request; its `reply` is called once. The caller has looked at `full`."""
        if not self._queue:
            self._gathered = self._running
        self._queue.append(work)
        self._rows += work.rows
        self._bytes += work.bytes
        if not self._running:
            self._turn()

    def sweep(self) -> None:
        """Answer what waits past its deadline, also while the model hangs."""
        now = self._clock.monotonic()
        if any(work.deadline <= now for work in self._queue):
            late = [work for work in self._queue if work.deadline <= now]
            self._queue = deque(work for work in self._queue if work.deadline > now)
            self._rows -= sum(work.rows for work in late)
            self._bytes -= sum(work.bytes for work in late)
            for work in late:
                work.reply(LATE)

    def _turn(self) -> None:
        """The model is free: run what waits, now or in a while."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._queue:
            return
        now = self._clock.monotonic()
        pause = 0.0 if self._alone else wait(self._pace, self._limits, self._waiting(), now)
        if pause > 0.0:
            self._timer = self._loop.call_later(pause, self._go)
        else:
            self._go()

    def _waiting(self) -> Waiting:
        return Waiting(
            requests=len(self._queue),
            rows=self._rows,
            bytes=self._bytes,
            gathered=self._gathered,
            since=max(self._free_since, self._queue[0].arrived),
            oldest=self._queue[0].arrived,
            nearest=min(work.deadline for work in self._queue),
        )

    def _go(self) -> None:
        self._timer = None
        self.sweep()
        if not self._queue:
            return
        now = self._clock.monotonic()
        waited = now - max(self._free_since, self._queue[0].arrived) if self._gathered else 0.0
        batch = self._take()
        full = bool(self._queue)
        self._running = True
        future = self._loop.run_in_executor(self._thread, self._runner.run, batch, self._on_results)
        future.add_done_callback(lambda done: self._done(done, batch, waited, full=full))

    def _take(self) -> list[Work]:
        """From the front, as many as fit; at least one."""
        batch = [self._queue.popleft()]
        rows, size = batch[0].rows, batch[0].bytes
        while self._queue and not self._alone:
            work = self._queue[0]
            if work.shape != batch[0].shape or rows + work.rows > self._pace.rows or size + work.bytes > self._limits.bytes:
                break
            batch.append(self._queue.popleft())
            rows += work.rows
            size += work.bytes
        self._rows -= rows
        self._bytes -= size
        return batch

    def _on_results(self, results: Sequence[tuple[Work, Result]]) -> None:
        """In the model's thread."""
        self._loop.call_soon_threadsafe(_reply, results)

    def _done(self, future: asyncio.Future[Outcome], batch: list[Work], waited: float, *, full: bool) -> None:
        outcome = future.result()
        self._running = False
        self._gathered = True  # whoever waits now came while the model ran
        self._free_since = self._clock.monotonic()
        if outcome.whole:
            rows = sum(work.rows for work in batch)
            ran = Ran(len(batch), rows, outcome.seconds, len(self._queue), waited, full)
            self._pace = after(self._pace, self._limits, ran)
        if outcome.exhausted:
            self._on_exhausted()
        self._turn()


def _reply(results: Sequence[tuple[Work, Result]]) -> None:
    for work, result in results:
        work.reply(result)
