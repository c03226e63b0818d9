"""The supervisor: holds the listening socket, keeps one worker in each place, and takes them down in order."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import signal
import socket
import sys
import threading
from asyncio.subprocess import PIPE, Process

from lockgate.kernel.errors import Conflict, Invalid, Unavailable
from lockgate.serving.server.listener import BACKLOG
from lockgate.serving.server.settings import Place, Settings, encode_place, read_secrets
from lockgate.serving.server.worker import FAREWELL

SHORT_LIFE = 3.0  # seconds: a worker that dies sooner than that was hardly born
FIRST_PAUSE = 0.05  # seconds before a dead worker's place is filled again; doubled with each short life in a row
LONGEST_PAUSE = 5.0
MOST_SHORT_LIVES = 15  # in a row, which takes about a minute: then a restart does not mend it
_BIND_PATIENCE = 3.0  # seconds: workers of a supervisor that was killed may still hold the port while they finish
_BIND_PAUSE = 0.1

log = logging.getLogger(__name__)


def run(settings: Settings, *, watch_stdin: bool) -> int:
    """Serve until SIGTERM, SIGINT or (watch_stdin) the end of standard input. Returns the exit code.

    Raises:
        Conflict: the port is taken. Invalid, Unavailable: the secrets cannot be used.
    """
    read_secrets(settings.secrets)
    settings.home.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(settings.home / "figures", ignore_errors=True)  # counters begin anew with the server, as Prometheus expects
    return asyncio.run(Supervisor(settings).run(watch_stdin=watch_stdin))


class Supervisor:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = asyncio.Event()
        self._processes: dict[str, Process] = {}

    async def run(self, *, watch_stdin: bool) -> int:
        listening = await _listen(self._settings.host, self._settings.port)
        with listening:
            self._heed_signals(watch_stdin=watch_stdin)
            names = [f"worker-{number}" for number in range(1, self._settings.workers + 1)]
            places = [asyncio.create_task(self._fill(name, listening.fileno())) for name in names]
            log.info("listening", extra={"host": self._settings.host, "port": listening.getsockname()[1], "pid": os.getpid()})
            stopped = asyncio.create_task(self._stop.wait())
            await asyncio.wait([stopped, *places], return_when=asyncio.FIRST_COMPLETED)
            given_up = not self._stop.is_set()
            self._stop.set()
        # The port is let go of first: whoever comes when the workers take no more is refused at once, and does not wait in vain.
        clean = await self._take_down(places)
        log.info("stopped", extra={"clean": clean})
        return 0 if clean and not given_up else 1

    async def _fill(self, name: str, descriptor: int) -> None:
        """Keep a worker in one place; returns when the server stops, or when workers die there again and again."""
        loop = asyncio.get_running_loop()
        short_lives = 0
        while not self._stop.is_set():
            born = loop.time()
            process = await self._start(name, descriptor)
            code = await process.wait()
            if self._stop.is_set():
                return
            lived = loop.time() - born
            short_lives = short_lives + 1 if lived < SHORT_LIFE else 0
            log.warning("worker died", extra={"worker": name, "pid": process.pid, "code": code, "lived_seconds": round(lived, 3)})
            if short_lives >= MOST_SHORT_LIVES:
                log.error("workers die again and again; giving up", extra={"worker": name})
                return
            await self._pause(min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** max(0, short_lives - 1)))

    async def _start(self, name: str, descriptor: int) -> Process:
        place = encode_place(Place(self._settings, name, descriptor))
        argv = [sys.executable, "-m", "lockgate.serving.server.worker", place]
        # A worker ends when its standard input does: so none outlives a supervisor that was killed.
        process = await asyncio.create_subprocess_exec(*argv, stdin=PIPE, pass_fds=(descriptor,))
        self._processes[name] = process
        log.info("worker started", extra={"worker": name, "pid": process.pid})
        return process

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return

    async def _take_down(self, places: list[asyncio.Task[None]]) -> bool:
        """Ask every worker to finish; True if all did so in time, by themselves."""
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        patience = self._settings.grace + self._settings.drain + FAREWELL + 1.0
        _, late = await asyncio.wait(places, timeout=patience)
        for process in self._processes.values():
            if process.returncode is None:
                log.warning("worker killed", extra={"pid": process.pid, "after_seconds": patience})
                process.kill()
                await process.wait()
        await asyncio.gather(*places)
        return not late and all(process.returncode == 0 for process in self._processes.values())

    def _heed_signals(self, *, watch_stdin: bool) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)

        def parent_ends() -> None:
            while os.read(sys.stdin.fileno(), 1024):
                pass
            loop.call_soon_threadsafe(self._stop.set)

        if watch_stdin:
            threading.Thread(target=parent_ends, name="parent-watch", daemon=True).start()


async def _listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        Conflict: the port is taken. Invalid: there is no such address here. Unavailable: the system refuses.
    """
    until = asyncio.get_running_loop().time() + _BIND_PATIENCE
    while True:
        try:
            return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG)
        except socket.gaierror as error:
            raise Invalid(f"host {host!r} is no address: {error.strerror}") from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror}") from error
            if asyncio.get_running_loop().time() > until:
                hint = "Stop what listens there, or choose another port with --port."
                raise Conflict(f"port {port} on {host} is taken", hint=hint) from error
        await asyncio.sleep(_BIND_PAUSE)
