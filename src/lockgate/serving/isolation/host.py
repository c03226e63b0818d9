"""A process that runs one package, so that whatever its model does happens to this process alone.

    python -m lockgate.serving.isolation.host ORDER          (an orders.Order as JSON)

It loads the package, repeats its golden rows and says so to the keeper; then it answers workers on its Unix socket, or ends if
the order names none. The model runs in one thread, the event loop in another: so a model that hangs is seen, and its callers are
not kept waiting. The process ends with its standard input, and takes what the model started with it.

It also runs in virtual environments of packages: what is imported here may need msgspec, numpy and nothing else.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from socket import socket as Socket  # noqa: N812 - a type here, and an order has a field `socket`
from typing import Any, NoReturn

from lockgate.embedded.scores import Scorer
from lockgate.kernel.clock import Clock, SystemClock
from lockgate.kernel.digest import short
from lockgate.kernel.errors import LockgateError, NotFound, Unavailable
from lockgate.kernel.log import configure
from lockgate.serving.isolation import memory, sockets
from lockgate.serving.isolation.batcher import Batcher
from lockgate.serving.isolation.batching import Runner, out_of_memory
from lockgate.serving.isolation.desk import Desk
from lockgate.serving.isolation.loading import Trial, named_loader, try_package
from lockgate.serving.isolation.orders import Beat, Failed, Order, Status, decode_order, encode_status
from lockgate.serving.isolation.priority import be_nice, giving_way
from lockgate.serving.isolation.sandbox import Fences, confine

EXHAUSTED = 86  # the exit code after memory ran out and did not come back
_LOAD_NICE = 10
_SWITCH = 0.0005  # seconds after which a model that computes in Python lets the event loop in
_SWEEP = 0.05  # seconds between two looks at deadlines; shadows' outcomes are sent as often

log = logging.getLogger("lockgate.serving.isolation.host")  # as a program its name would be __main__


class Voice:
    """What this process says to the keeper. Beats that nobody reads are left out."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def say(self, status: Status) -> None:
        try:
            os.write(self._descriptor, encode_status(status))
        except OSError:
            return  # the keeper is gone or does not read: standard input says which, and only beats come that often


class Host:
    """listening: where workers are to connect; None: nobody is to."""

    def __init__(self, order: Order, listening: Socket | None, voice: Voice, clock: Clock) -> None:
        self._order = order
        self._listening = listening
        self._voice = voice
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "model")
        self._born = clock.monotonic()
        self._batcher: Batcher | None = None
        self._desks: set[Desk] = set()

    async def run(self) -> int:
        """Load, then answer until the process is ended. Returns the exit code if there is nothing to answer."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_fatal)
        self._wind_up()
        beats = loop.create_task(self._every(self._order.beat, self._beat))
        try:
            trial = await loop.run_in_executor(self._thread, self._load)
        except BaseException as error:  # noqa: BLE001 - a package may raise anything, SystemExit too: all of it is why it failed
            self._voice.say(_why(error, self._order))
            return 1
        if self._listening is not None:
            await self._open(trial, self._listening)
            self._wind_up()
        self._voice.say(trial.report)
        if self._listening is None:
            return 0
        await asyncio.gather(beats, loop.create_task(self._every(_SWEEP, self._keep_house)))
        return 0

    def _load(self) -> Trial:
        order = self._order
        if order.memory is not None:
            memory.limit(order.memory)
        with giving_way(_LOAD_NICE):
            load = named_loader(order.loader)
            return try_package(Path(order.artifacts), order.digest, load, self._clock, order.settle)

    async def _open(self, trial: Trial, listening: Socket) -> None:
        runner = Runner(trial.model, self._clock)
        batcher = Batcher(
            runner,
            self._thread,
            self._order.limits,
            self._clock,
            base=trial.report.p99,
            alone=not trial.report.batchable,
            on_exhausted=self._exhausted,
        )
        self._batcher = batcher
        scorer = Scorer(trial.manifest.signature)
        make = lambda: Desk(batcher, scorer, self._clock, self._desks)  # noqa: E731
        await asyncio.get_running_loop().create_unix_server(make, sock=listening)
        log.info("host ready", extra={"package": short(self._order.digest), "pid": os.getpid()})

    def _beat(self) -> None:
        now = self._clock.monotonic()
        busy = now - self._born
        if self._batcher is not None:
            busy = self._batcher.busy(now)
        self._voice.say(Beat(max(0.0, busy), memory.own()))
        self._wind_up()

    def _wind_up(self) -> None:
        """A model that holds the interpreter holds all our threads. The keeper ends such a process; where the keeper is gone too,
        the system does, because nobody winds this timer up again.
        """
        signal.setitimer(signal.ITIMER_REAL, self._order.load_silence if self._batcher is None else self._order.silence)

    def _keep_house(self) -> None:
        if self._batcher is not None:
            self._batcher.sweep()
        for desk in list(self._desks):
            desk.flush()

    async def _every(self, seconds: float, call: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(seconds)
            call()

    def _exhausted(self) -> None:
        if self._order.memory is not None and memory.scarce():
            log.warning("out of memory", extra={"package": short(self._order.digest), "pid": os.getpid()})
            # The answers of the run that failed are written first: they are in the sockets' buffers after one more turn.
            asyncio.get_running_loop().call_later(_SWEEP, _end, EXHAUSTED)


def _why(error: BaseException, order: Order) -> Failed:
    if out_of_memory(error):
        bound = f": it may take {memory.human(order.memory)}" if order.memory is not None else ""
        return Failed(f"out of memory{bound}", lasting=False)
    if isinstance(error, LockgateError):
        return Failed(error.message[:1000], lasting=not isinstance(error, NotFound | Unavailable))
    return Failed(f"{type(error).__name__}: {error}"[:1000])


def _fatal(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody expected in the loop ends the process: the keeper starts another one, which begins with a sound state."""
    log.error("host broke", exc_info=context.get("exception"), extra={"reason": context["message"]})
    _end(1)


def _end(code: int) -> NoReturn:
    """At once: a thread that hangs cannot be waited for."""
    os._exit(code)


def _end_with(ears: int) -> None:
    """Processes that the model started are of our group, and go too."""
    while os.read(ears, 1024):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    _end(0)


def _own_ends() -> tuple[int, int]:
    """Our ends of the keeper's pipes, out of a model's way: what it prints goes to standard error, and it has nothing to read."""
    ears, voice = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    os.set_blocking(voice, False)
    return ears, voice


def _confined(order: Order) -> Socket | None:
    """Give up all that a model does not need, while there is one thread; whatever is to be opened is opened before.

    Returns where workers will connect.
    """
    listening = sockets.listen(Path(order.socket)) if order.socket is not None else None
    shared, hidden, packages = (tuple(map(Path, places)) for places in (order.shared, order.hidden, order.packages))
    fences = Fences(Path(order.artifacts), Path(order.own), shared, hidden, order.processes, order.seconds, packages)
    missing = confine(fences)
    if missing:
        log.warning("sandbox incomplete", extra={"package": short(order.digest), "missing": missing})
    return listening


def main() -> None:
    order = decode_order(sys.argv[1])
    ears, voice = _own_ends()
    faulthandler.register(signal.SIGALRM, chain=True)  # it writes where all threads are, and then the signal ends the process
    memory.be_first_to_go()
    be_nice(order.nice)
    configure(verbose=order.verbose)
    listening = _confined(order)
    threading.Thread(target=_end_with, args=(ears,), name="keeper-watch", daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the supervisor acts on it
    sys.setswitchinterval(_SWITCH)
    _end(asyncio.run(Host(order, listening, Voice(voice), SystemClock()).run()))


if __name__ == "__main__":
    main()
