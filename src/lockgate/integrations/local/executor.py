"""Does the work of a run on this machine: checks as child processes, the rest in workers that live as long as the run."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

import msgspec

from lockgate.integrations.local.environment import own_environment
from lockgate.integrations.local.process import Ended, Line, Process
from lockgate.integrations.local.protocol import Reply, Setup, Warm, reply_decoder
from lockgate.kernel.errors import Conflict, Unavailable
from lockgate.kernel.quantities import format_duration
from lockgate.ports.executor import AnyWork, CallStep, Dataset, Executor, LoadData, Outcome, PackageModel, RunCommand, Value

_NO_SUCH_PROGRAM = 127


@dataclass(frozen=True, slots=True)
class LocalExecutors:
    """A ports.executor.Executors. values: the home's cache. workers: how many at once, the number of cores unless said."""

    values: Path
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)

    @contextmanager
    def open(self, project: Path, roots: Sequence[str], data: Path, log: Path) -> Iterator[Executor]:
        setup = Setup(str(project), tuple(roots), str(data), str(self.values))
        executor = LocalExecutor(setup, log, self.workers)
        try:
            yield executor
        finally:
            executor.close()


@dataclass(slots=True)
class _Running:
    """What a process is doing, since when, and until when (on the monotonic clock)."""

    work: AnyWork
    since: float
    deadline: float


@dataclass(slots=True, eq=False)
class _Worker:
    process: Process
    knows: set[str] = field(default_factory=set)  # digests of what it may hold in memory


class LocalExecutor:
    """A ports.executor.Executor. Only the thread that made it may use it."""

    def __init__(self, setup: Setup, log: Path, limit: int) -> None:
        self._setup = setup
        self._log = log
        self._limit = limit
        self._events: SimpleQueue[Line | Ended] = SimpleQueue()
        self._waiting: deque[AnyWork] = deque()
        self._running: dict[Process, _Running] = {}
        self._workers: dict[Process, _Worker] = {}

    def warm(self, libraries: Sequence[str]) -> None:
        worker = next(iter(self._workers.values()), None) or self._start_worker()
        worker.process.send(msgspec.json.encode(Warm(tuple(libraries))))

    def submit(self, work: AnyWork) -> None:
        self._waiting.append(work)

    def next(self) -> Outcome:
        while True:
            self._start_what_may()
            if not self._running:
                raise Conflict("nothing was submitted that could have an outcome")
            deadline = min(running.deadline for running in self._running.values())
            try:
                event = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                if (late := self._kill_late()) is not None:
                    return late
                continue
            if (outcome := self._heard(event)) is not None:
                return outcome

    def close(self) -> None:
        for process in {*self._running, *self._workers}:
            process.close()
        self._running.clear()
        self._workers.clear()

    def _start_what_may(self) -> None:
        """Start what waits, as far as there is room."""
        for work in list(self._waiting):
            if isinstance(work, RunCommand):
                commands = sum(isinstance(one.work, RunCommand) for one in self._running.values())
                if commands < self._limit:
                    self._waiting.remove(work)
                    self._begin(self._start_command(work), work)
            elif (worker := self._free_worker(work)) is not None:
                self._waiting.remove(work)
                worker.process.send(msgspec.json.encode(work))
                self._begin(worker.process, work)

    def _begin(self, process: Process, work: AnyWork) -> None:
        now = time.monotonic()
        self._running[process] = _Running(work, now, now + work.timeout)

    def _free_worker(self, work: AnyWork) -> _Worker | None:
        """Of the workers that have nothing to do, the one that knows most of the inputs; a new one if there is none."""
        free = [worker for process, worker in self._workers.items() if process not in self._running]
        if free:
            return max(free, key=lambda worker: len(worker.knows & _inputs(work)))
        return self._start_worker() if len(self._workers) < self._limit else None

    def _start_worker(self) -> _Worker:
        environment = own_environment() | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        words = [sys.executable, "-P", "-u", "-m", "lockgate.integrations.local.worker"]
        process = self._spawn(words, self._log, environment, speaks=True)
        process.send(msgspec.json.encode(self._setup))
        self._workers[process] = _Worker(process)
        return self._workers[process]

    def _start_command(self, work: RunCommand) -> Process:
        """With the programs of the running interpreter's environment first on its PATH."""
        beside = Path(sys.executable).parent
        environment = own_environment() | {"PATH": os.pathsep.join([str(beside), os.environ.get("PATH", os.defpath)])}
        words = [sys.executable, "-P", "-m", "lockgate.integrations.local.guard", *work.words]
        return self._spawn(words, Path(work.log), environment, speaks=False)

    def _spawn(self, words: Sequence[str], log: Path, environment: Mapping[str, str], *, speaks: bool) -> Process:
        try:
            return Process(words, Path(self._setup.project), log, self._events, environment=environment, speaks=speaks)
        except OSError as error:
            raise Unavailable(f"no process could be started: {error.strerror}", hint="See what the machine lacks.") from error

    def _heard(self, event: Line | Ended) -> Outcome | None:
        """The outcome that an event means, if it means one."""
        if isinstance(event, Ended):
            self._workers.pop(event.process, None)
            event.process.close()
        running = self._running.pop(event.process, None)
        if running is None:
            return None
        seconds = time.monotonic() - running.since
        if isinstance(event, Line):
            reply = reply_decoder.decode(event.text)
            if reply.output is not None:
                self._workers[event.process].knows |= {reply.output, *_inputs(running.work)}
        else:
            reply = _ended(running.work, event.returncode)
        return Outcome(key=running.work.key, seconds=seconds, output=reply.output, error=reply.error, refused=reply.refused)

    def _kill_late(self) -> Outcome | None:
        now = time.monotonic()
        for process, running in self._running.items():
            if running.deadline <= now:
                process.close()
                self._workers.pop(process, None)
                del self._running[process]
                error = f"took longer than {format_duration(running.work.timeout)} and was killed"
                return Outcome(key=running.work.key, seconds=now - running.since, error=error)
        return None


def _inputs(work: AnyWork) -> set[str]:
    """Digests of the values and data that a piece of work needs."""
    if isinstance(work, CallStep):
        return {source.digest for source in work.arguments.values() if isinstance(source, Value | Dataset)}
    if isinstance(work, PackageModel):
        return {value.digest for value in (work.model, *work.inputs, work.evaluation)}
    return {work.data.digest} if isinstance(work, LoadData) else set()


def _ended(work: AnyWork, returncode: int) -> Reply:
    """What it means that a process ended: for a command its answer, for a worker an accident."""
    if returncode < 0:
        name = signal.Signals(-returncode).name
        memory = "; when nobody did that, the machine ran out of memory" if name == "SIGKILL" else ""
        return Reply(error=f"was killed by {name}{memory}")
    if not isinstance(work, RunCommand):
        return Reply(error=f"ended its process with exit code {returncode} in the middle of the work")
    if returncode == 0:
        return Reply()
    if returncode == _NO_SUCH_PROGRAM:
        return Reply(error=f"could not be started: {work.words[0]!r} is no program that is found here")
    return Reply(error=f"said no: exit code {returncode}", refused=True)
