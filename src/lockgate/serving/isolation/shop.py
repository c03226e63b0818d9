"""What the keeper's errands share: folders, starting processes, verdicts, and the memory that is promised to whom."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from lockgate.boundary import libraries, trusted_types
from lockgate.boundary.manifest import Manifest
from lockgate.kernel.clock import Clock
from lockgate.kernel.digest import short
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.release import PACKAGE
from lockgate.runtimes.registry import RUNTIMES
from lockgate.serving.isolation import verdicts
from lockgate.serving.isolation.budget import Need, free, inline_need, isolated_need, refusal
from lockgate.serving.isolation.children import Child, environment, installing
from lockgate.serving.isolation.lives import Patience
from lockgate.serving.isolation.loading import manifest_of
from lockgate.serving.isolation.orders import DEFAULT_LOADER, Loaded, Order
from lockgate.serving.isolation.pace import Limits
from lockgate.serving.isolation.talk import Phase, Want
from lockgate.serving.isolation.venvs import Venvs
from lockgate.serving.isolation.verdicts import Verdicts

_OWN = "own-"
_CORES = os.cpu_count() or 1  # a process that loads may use all of them
_SHADOWS = Limits(queued_requests=1024, queued_bytes=16 << 20)  # what waits longer is of no use


class Settings(msgspec.Struct, frozen=True):
    """workers: processes that load an inline package. budget: bytes for all models together; None: no limit.

    linger: seconds that a host which nobody wants is kept. handover: seconds to wait for a home that another server leaves.
    load_limit: seconds to load, after which it has failed. hang_limit: seconds that one run, or silence, may last, then the
    process is killed. memory: see Want, where it says nothing. threads: of numeric libraries, in each process. passed: names of
    environment variables that models may see. shared: folders that models may write in beside their own. hidden: folders that
    they may not read, beside what lies around the artifacts. packages: folders that artifacts are links into.
    """

    workers: int = 1
    budget: int | None = None
    loader: str = DEFAULT_LOADER
    linger: float = 5.0
    handover: float = 30.0
    load_limit: float = 120.0
    hang_limit: float = 30.0
    memory: int | None = None
    threads: int = 1
    passed: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    shadow_nice: int = 19
    examine_nice: int = 10
    beat: float = 0.25
    settle: float = 1.0
    limits: Limits = Limits()
    patience: Patience = Patience()
    verbose: bool = False


class Crowded(LockgateError):
    """There is no memory for it now."""


class Tell(Protocol):
    """How an errand says what became of its want."""

    def __call__(self, phase: Phase, *, reason: str = "", socket: Path | None = None, report: Loaded | None = None) -> None: ...


class Python(NamedTuple):
    """processes: whether the package may start some: it is code, which the platform trusts, and not only data."""

    path: Path
    environment: Mapping[str, str]
    processes: bool


class Shop:
    def __init__(self, home: Path, artifacts: Path, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.folder = home / "hosts"
        self._home = home
        self._artifacts = artifacts.resolve()
        self._environment = environment(settings.threads, settings.passed)
        self._source = self.folder / "source"
        self.venvs = Venvs(home / "venvs", installing(self._environment))
        self.verdicts = Verdicts(home / "examined", verdicts.environment())
        self._needs: dict[Want, Need] = {}
        self._loading = asyncio.Lock()  # with a budget, one at a time: else two would count on the same memory
        self._freed = asyncio.Event()
        self.examining = asyncio.Semaphore(1)  # one at a time: trying a package must not slow down those that answer
        self._serial = count(1)

    def prepare(self) -> None:
        """Make the folders, and remove what a server that was killed left there."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for stale in self.folder.glob("*.sock"):
            stale.unlink(missing_ok=True)
        for stale in self.folder.glob(f"{_OWN}*"):
            shutil.rmtree(stale, ignore_errors=True)
        self._source.mkdir(exist_ok=True)
        link = self._source / "lockgate"
        link.unlink(missing_ok=True)
        link.symlink_to(PACKAGE)
        self.venvs.sweep()

    async def python(self, want: Want) -> Python:
        """The interpreter that runs it: ours, or that of its virtual environment, which is built if need be.

        Raises:
            NotFound, Corrupt, Invalid: there is no such package. Invalid, Unavailable: see Venvs.python.
        """
        manifest = manifest_of(self._artifacts, want.digest)
        if not manifest.requirements:
            return Python(Path(sys.executable), self._environment, _is_code(manifest))
        ready = libraries.ready(manifest.requirements, os.environ)
        if ready is not None:  # nothing is installed where an image runs
            paths = f"{self._source}{os.pathsep}{ready}"
            return Python(Path(sys.executable), self._environment | {"PYTHONPATH": paths}, _is_code(manifest))
        path = await self.venvs.python(manifest.requirements)
        return Python(path, self._environment | {"PYTHONPATH": str(self._source)}, _is_code(manifest))

    def socket(self, want: Want) -> Path:
        """A name of its own for each life, so that nobody meets a new process at an old address."""
        return self.folder / f"{short(want.digest)}-{next(self._serial)}.sock"

    async def start(self, want: Want, python: Python, socket: Path | None, memory: int | None) -> Child:
        """socket: where it is to listen; None: it is thrown away once it has loaded. memory: bytes that it may take.

        Raises:
            Invalid: the list of what the policy trusts is damaged.
        """
        settings = self.settings
        trusted = trusted_types.read(self._home)
        order = Order(
            digest=want.digest,
            artifacts=str(self._artifacts),
            own=str((self.folder / f"{_OWN}{short(want.digest)}-{next(self._serial)}").resolve()),
            socket=str(socket) if socket is not None else None,
            loader=settings.loader,
            nice=settings.examine_nice if socket is None else settings.shadow_nice if want.shadow else 0,
            memory=memory,
            settle=settings.settle,
            beat=settings.beat,
            silence=2.0 * settings.hang_limit,
            load_silence=2.0 * settings.load_limit,
            limits=_SHADOWS if want.shadow else settings.limits,
            verbose=settings.verbose,
            shared=settings.shared,
            hidden=(*settings.hidden, str(self._artifacts.parent), str(self._home.resolve())),
            packages=settings.packages,
            processes=python.processes,
            seconds=settings.load_limit * _CORES if socket is None else None,
        )
        told = {trusted_types.VARIABLE: trusted_types.encode(trusted).decode()}
        return await Child.start(python.path, order, {**python.environment, **told})

    @asynccontextmanager
    async def room(self, want: Want, report: Loaded | None) -> AsyncIterator[int | None]:
        """Hold on to the memory that loading takes; gives the bytes that the process may take, or None.

        report: of an earlier load, if there was one; without it, the process is held to what is free.

        Raises:
            Crowded: the budget has not enough for it.
        """
        memory = want.memory if want.memory is not None else self.settings.memory
        budget = self.settings.budget
        if budget is None or want in self._needs:
            yield memory
            return
        async with self._loading:
            if report is None:
                room = free(budget, self._needs.values())
                yield room if memory is None else min(room, memory)
            else:
                reason = refusal(budget, self._needs.values(), self._need(want, report))
                if reason is not None:
                    raise Crowded(reason)
                yield memory

    def hold(self, want: Want, report: Loaded) -> None:
        self._needs[want] = self._need(want, report)

    def uses(self, want: Want, own: int) -> None:
        """What the process of an isolated package has now: it may have grown since it was loaded."""
        need = self._needs.get(want)
        if need is not None:
            self._needs[want] = need._replace(steady=max(need.steady, own))

    def let_go(self, want: Want) -> None:
        if self._needs.pop(want, None) is not None:
            self._freed.set()

    async def pause(self, seconds: float, *, until_freed: bool = False) -> None:
        """until_freed: no longer than until somebody gives memory back."""
        if not until_freed:
            await asyncio.sleep(seconds)
            return
        self._freed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._freed.wait()
        except TimeoutError:
            return

    def _need(self, want: Want, report: Loaded) -> Need:
        return isolated_need(report.footprint) if want.isolated else inline_need(report.footprint, self.settings.workers)


def _is_code(manifest: Manifest) -> bool:
    runtime = RUNTIMES.get(manifest.runtime)
    return runtime is not None and runtime.code
