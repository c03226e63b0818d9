"""A keeper as it lives in the supervisor, packages of the models that misbehave, and workers to ask them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pytest
import uvloop

from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor, encode
from lockgate.kernel.clock import SystemClock
from lockgate.kernel.digest import digest_bytes, digits
from lockgate.runtimes.model import Array, RuntimeFailure
from lockgate.serving.isolation.client import Hosts
from lockgate.serving.isolation.keeper import Keeper, keeper_socket
from lockgate.serving.isolation.lives import Patience
from lockgate.serving.isolation.shop import Settings

T = TypeVar("T")
SIGNATURE = Signature(
    inputs=(Tensor("x", "FP64", (-1, 1)), Tensor("text", "BYTES", (-1, 1))),
    outputs=(Tensor("score", "FP64", (-1, 1)),),
    score="score",
)
QUICK = Patience(short_life=0.5, most_short_lives=3, first_pause=0.02, longest_pause=0.2, first_retry=0.3, longest_retry=60.0)
SETTINGS = Settings(
    loader="tests.integration.serving.isolation_models:load",
    linger=0.3,
    load_limit=10.0,
    hang_limit=1.0,
    beat=0.05,
    settle=0.05,
    patience=QUICK,
)


def feeds(*values: float) -> dict[str, Array]:
    return {"x": np.array(values, float).reshape(-1, 1), "text": np.full((len(values), 1), "ab", object)}


def answer_of(*values: float) -> list[list[float]]:
    return [[2.0 * value + 2.0] for value in values]


@dataclass(frozen=True)
class Packages:
    """Packages by digest, as the control plane lays them down."""

    path: Path

    def put(self, content: bytes) -> str:
        digest = digest_bytes(content)
        place = self.path / digits(digest)[:2] / digits(digest)[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return digest

    def make(
        self,
        name: str = "m",
        *,
        scores: tuple[float, ...] = (4.0, 6.0),
        requirements: tuple[str, ...] = (),
        runtime: str = "python",
        **options: Any,
    ) -> str:
        """Different names make different packages of the same behaviour."""
        content = b"weights"
        return self.put(
            encode(
                Manifest(
                    model=name,
                    runtime=runtime,
                    files=(File("model.bin", self.put(content), len(content)),),
                    signature=SIGNATURE,
                    golden=Golden({"x": [1.0, 2.0], "text": ["ab", "ab"]}, list(scores), 1e-9),
                    lineage=Lineage("run-1", None, False, "tester", {}, {}),  # noqa: FBT003 - a manifest's fields, in order
                    options=options,
                    requirements=requirements,
                )
            )
        )


@contextmanager
def new_home(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Home]:
    """The processes find the models of the tests by PYTHONPATH."""
    patch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    with Home(folder / "home", Packages(folder / "artifacts")).open() as home:
        yield home


@dataclass
class Home:
    """One home with its keeper, which runs in a thread with an event loop of its own, as the supervisor's does."""

    path: Path
    packages: Packages
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @property
    def socket(self) -> Path:
        return keeper_socket(self.path)

    @contextmanager
    def kept(self, **changes: Any) -> Iterator[Keeper]:
        """changes: of SETTINGS."""
        # What the models of the tests write lies beside the home.
        settings = msgspec.structs.replace(SETTINGS, **{"shared": (str(self.path.parent),), **changes})
        keeper = self.do(self._made(settings))
        try:
            yield keeper
        finally:
            self.do(keeper.stop())

    async def _made(self, settings: Settings) -> Keeper:
        keeper = Keeper(self.path, self.packages.path, settings, SystemClock())
        await keeper.start()
        return keeper

    def do_later(self, seconds: float, make: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        async def later() -> None:
            await asyncio.sleep(seconds)
            await make()

        asyncio.run_coroutine_threadsafe(later(), self._loop)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    @contextmanager
    def open(self) -> Iterator[Home]:
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Hosts]:
        hosts = Hosts(self.socket)
        hosts.start()
        try:
            yield hosts
        finally:
            hosts.stop()


def run(main: Callable[[], Awaitable[T]], seconds: float = 30.0) -> T:
    """On the loop that workers have."""

    async def bounded() -> T:
        return await asyncio.wait_for(main(), seconds)

    return uvloop.run(bounded())


async def until(condition: Callable[[], Any], what: str, seconds: float = 10.0) -> Any:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        if found := condition():
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what}")


def pids(path: Path) -> list[int]:
    """Of the processes that loaded the package, the newest last."""
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def lives(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int) -> list[int]:
    return [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


async def kind_of(work: Awaitable[Any]) -> str:
    """`ok`, or the kind of the failure."""
    try:
        await work
    except RuntimeFailure as error:
        return error.kind
    return "ok"
