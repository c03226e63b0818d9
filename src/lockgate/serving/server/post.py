"""One worker process and the place that it fills: started, watched, started again when it dies, asked to leave."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from asyncio.subprocess import PIPE, Process

from lockgate.serving.server.settings import Place, Settings, encode_place

SHORT_LIFE = 3.0  # seconds: a worker that dies sooner than that was hardly born
FIRST_PAUSE = 0.05  # seconds before a dead worker's place is filled again; doubled with each short life in a row
LONGEST_PAUSE = 5.0
HOPELESS = 78  # the exit code of a worker that no successor could do better than (EX_CONFIG of sysexits.h)
MOST_SHORT_LIVES = 15  # in a row, which takes about a minute: then a restart does not mend it

log = logging.getLogger(__name__)


class Post:
    """Keeps a worker in one place until it is told to `leave`, or until workers die there again and again."""

    def __init__(self, settings: Settings, name: str, descriptor: int) -> None:
        self.name = name
        self.process: Process | None = None
        self.given_up = False
        self._argv = [sys.executable, "-m", "lockgate.serving.server.worker", encode_place(Place(settings, name, descriptor))]
        self._descriptor = descriptor
        self._leaving = asyncio.Event()
        self.task = asyncio.create_task(self._fill())

    @property
    def pid(self) -> int:
        """Of the process that lives here now; 0 if none does."""
        return self.process.pid if self.process is not None and self.process.returncode is None else 0

    def leave(self) -> None:
        """Ask the worker to finish what is under way and end; nobody takes its place."""
        self._leaving.set()
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def _fill(self) -> None:
        loop = asyncio.get_running_loop()
        short_lives = 0
        while not self._leaving.is_set():
            born = loop.time()
            try:
                process = await self._start()
            except OSError as error:  # no process or no memory for one, now
                log.warning("worker not started", extra={"worker": self.name, "reason": str(error)})
                await self._pause(LONGEST_PAUSE)
                continue
            code = await process.wait()
            if self._leaving.is_set():
                return
            if code == HOPELESS:
                self.given_up = True
                return
            lived = loop.time() - born
            short_lives = short_lives + 1 if lived < SHORT_LIFE else 0
            facts = {"worker": self.name, "pid": process.pid, "code": code, "lived_seconds": round(lived, 3)}
            log.warning("worker died", extra=facts)
            if short_lives >= MOST_SHORT_LIVES:
                log.error("workers die again and again; giving up", extra={"worker": self.name})
                self.given_up = True
                return
            await self._pause(min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** max(0, short_lives - 1)))

    async def _start(self) -> Process:
        # A worker ends when its standard input does: so none outlives a supervisor that was killed.
        process = await asyncio.create_subprocess_exec(*self._argv, stdin=PIPE, pass_fds=(self._descriptor,))
        self.process = process
        log.info("worker started", extra={"worker": self.name, "pid": process.pid})
        if self._leaving.is_set():
            process.send_signal(signal.SIGTERM)
        return process

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._leaving.wait(), seconds)
        except TimeoutError:
            return
