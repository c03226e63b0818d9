"""The supervisor: holds the listening socket, keeps as many workers as are needed, and takes them down in order."""

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
from collections.abc import Iterator
from itertools import count

from lockgate.kernel.clock import SystemClock
from lockgate.kernel.errors import Conflict, Invalid, Unavailable
from lockgate.serving.isolation.keeper import Keeper
from lockgate.serving.isolation.shop import Settings as KeeperSettings
from lockgate.serving.server import gauge
from lockgate.serving.server.listener import BACKLOG
from lockgate.serving.server.post import Post
from lockgate.serving.server.scaling import Scale, follow
from lockgate.serving.server.settings import Settings, read_secrets
from lockgate.serving.server.worker import FAREWELL

_BIND_PATIENCE = 3.0  # seconds: workers of a supervisor that was killed may still hold the port while they finish
_BIND_PAUSE = 0.1
_LOOK = 0.25  # seconds between two looks at the workers' load
_SILENT = 3.0  # seconds without a word after which a worker's load is not believed any more
_BIRTH = 30.0  # seconds for a worker to begin to answer, when another one waits to leave for it

log = logging.getLogger(__name__)


def run(settings: Settings, *, watch_stdin: bool) -> int:
    """Serve until SIGTERM, SIGINT or (watch_stdin) the end of standard input; SIGHUP replaces all workers, one after the other.

    Returns the exit code.

    Raises:
        Conflict: the port is taken. Invalid, Unavailable: the secrets cannot be used.
    """
    read_secrets(settings.secrets)
    settings.home.mkdir(parents=True, exist_ok=True)
    return asyncio.run(Supervisor(settings).run(watch_stdin=watch_stdin))


class Supervisor:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = asyncio.Event()
        self._renew = asyncio.Event()
        self._posts: list[Post] = []  # of the workers that are to stay
        self._leaving: set[Post] = set()
        self._scale = Scale(settings.workers.least)

    async def run(self, *, watch_stdin: bool) -> int:
        settings = self._settings
        listening = await _listen(settings.host, settings.port)
        keeper = Keeper(settings.home, settings.artifacts, self._keeping(), SystemClock())
        with listening:
            await keeper.start()
            # Only now: until the keeper has the home, another server may live in it.
            for leftover in ("figures", "load"):  # counters begin anew with the server, as Prometheus expects
                shutil.rmtree(settings.home / leftover, ignore_errors=True)
            (settings.home / "limits").unlink(missing_ok=True)
            self._heed_signals(watch_stdin=watch_stdin)
            for _ in range(self._scale.workers):
                self._add(listening)
            log.info("listening", extra={"host": settings.host, "port": listening.getsockname()[1], "pid": os.getpid()})
            await self._watch(listening)
            given_up = not self._stop.is_set()
            self._stop.set()
        # The port is let go of first: whoever comes when the workers take no more is refused at once, and does not wait in vain.
        clean = await self._take_down()
        await keeper.stop()
        log.info("stopped", extra={"clean": clean})
        return 0 if clean and not given_up else 1

    def _keeping(self) -> KeeperSettings:
        settings = self._settings
        return KeeperSettings(
            workers=settings.workers.most,
            budget=settings.memory,
            hidden=(str(settings.secrets),),
            packages=tuple(map(str, settings.packages)),
            verbose=settings.verbose,
        )

    async def _watch(self, listening: socket.socket) -> None:
        """Until the server stops, or a place is given up."""
        while not self._stop.is_set() and not any(post.given_up for post in self._posts):
            try:
                await asyncio.wait_for(self._stop.wait(), _LOOK)
            except TimeoutError:
                self._adapt(listening)
                self._leaving = {post for post in self._leaving if not post.task.done()}
                if self._renew.is_set():
                    self._renew.clear()
                    await self._replace_all(listening)

    def _adapt(self, listening: socket.socket) -> None:
        now = asyncio.get_running_loop().time()
        loads = [load for post in self._posts if (load := self._load(post)) is not None and now - load.at < _SILENT]
        wanted = follow(self._scale, loads, self._settings.workers, now)
        if wanted.workers != self._scale.workers:
            delay = max(load.delay for load in loads)
            log.info(
                "workers scaled", extra={"from": self._scale.workers, "to": wanted.workers, "delay_seconds": round(delay, 4)}
            )
        self._scale = wanted
        while len(self._posts) < wanted.workers:
            self._add(listening)
        while len(self._posts) > wanted.workers:
            self._dismiss(self._posts[-1])

    async def _replace_all(self, listening: socket.socket) -> None:
        """One worker at a time, and each only when its successor answers: there are never fewer than before."""
        for old in list(self._posts):
            new = self._add(listening)
            until = asyncio.get_running_loop().time() + _BIRTH
            while self._load(new) is None and not self._stop.is_set():
                if asyncio.get_running_loop().time() > until or new.given_up:
                    log.error("new worker does not answer; the old ones stay", extra={"worker": new.name})
                    self._dismiss(new)
                    return
                await asyncio.sleep(_BIND_PAUSE)
            self._dismiss(old)
        log.info("workers replaced", extra={"workers": len(self._posts)})

    def _load(self, post: Post) -> gauge.Load | None:
        """What the process that lives in a place now says of itself; None before it answers."""
        load = gauge.read(self._settings.home / "load", post.name)
        return load if load is not None and load.pid == post.pid else None

    def _add(self, listening: socket.socket) -> Post:
        taken = {post.name for post in (*self._posts, *self._leaving)}
        post = Post(self._settings, next(name for name in _names() if name not in taken), listening.fileno())
        self._posts.append(post)
        return post

    def _dismiss(self, post: Post) -> None:
        self._posts.remove(post)
        self._leaving.add(post)
        post.leave()

    async def _take_down(self) -> bool:
        """Ask every worker to finish; True if all did so in time, by themselves."""
        everybody = [*self._posts, *self._leaving]
        for post in everybody:
            post.leave()
        patience = self._settings.grace + self._settings.drain + FAREWELL + 1.0
        _, late = await asyncio.wait([post.task for post in everybody], timeout=patience)
        for post in everybody:
            if post.pid:
                log.warning("worker killed", extra={"pid": post.pid, "after_seconds": patience})
                await post.kill()
        await asyncio.gather(*(post.task for post in everybody))
        return not late and all(post.process is not None and post.process.returncode == 0 for post in everybody)

    def _heed_signals(self, *, watch_stdin: bool) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._renew.set)

        def parent_ends() -> None:
            while os.read(sys.stdin.fileno(), 1024):
                pass
            loop.call_soon_threadsafe(self._stop.set)

        if watch_stdin:
            threading.Thread(target=parent_ends, name="parent-watch", daemon=True).start()


def _names() -> Iterator[str]:
    return (f"worker-{number}" for number in count(1))


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
