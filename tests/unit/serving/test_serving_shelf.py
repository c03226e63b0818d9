"""Packages that sleep: who asks for one waits until it is awake, all of them for one load, and within bounds."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from lockgate.boundary.acknowledgements import PackageState, Readiness
from lockgate.kernel.errors import LockgateError, Unavailable
from lockgate.serving.gateway.package import Engine, Package
from lockgate.serving.gateway.shelf import Shelf
from lockgate.serving.gateway.waking import Waking
from lockgate.serving.runtimes.model import Model
from lockgate.testing.clock import VirtualClock

PATIENCE = 5.0


class Loads:
    """Loads packages when it is let to; counts; fails on demand."""

    def __init__(self) -> None:
        self.begun = 0
        self.freed = 0
        self.forgotten: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False

    async def load(self, digest: str) -> Package:
        self.begun += 1
        await self.gate.wait()
        if self.broken:
            raise Unavailable("the disk is gone")
        nothing: Any = None  # a shelf never looks into what it keeps
        return Package(digest, nothing, nothing, nothing, nothing, Engine(cast("Model", object())))

    def free(self, package: Package) -> None:
        assert not package.engine.asleep
        self.freed += 1

    def forget(self, digest: str) -> None:
        self.forgotten.append(digest)


class Stage:
    """A shelf with one package on it."""

    def __init__(self) -> None:
        self.loads, self.clock, self.changes = Loads(), VirtualClock(), 0
        self.shelf = Shelf(self.loads, self.clock, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    async def ready(self) -> Engine:
        self.shelf.want(["a"])
        await self.shelf.settled(PATIENCE)
        return self.shelf.ready["a"].engine

    async def asleep(self) -> Engine:
        engine = await self.ready()
        self.clock.advance(61)
        self.shelf.sleep_idle(60)
        assert engine.asleep
        return engine


def test_only_what_nobody_asked_for_is_put_to_sleep_and_it_still_counts_as_ready() -> None:
    async def story() -> None:
        stage = Stage()
        engine = await stage.ready()
        stage.clock.advance(59)
        stage.shelf.sleep_idle(60)
        assert not engine.asleep
        engine.asked_at = stage.clock.monotonic()
        stage.clock.advance(59)
        stage.shelf.sleep_idle(60)
        assert stage.loads.freed == 0
        stage.clock.advance(2)
        stage.shelf.sleep_idle(60)
        assert bool(engine.asleep)
        assert stage.loads.freed == 1
        assert stage.shelf.states["a"].readiness == "ready"

    asyncio.run(story())


def test_two_hundred_who_come_at_once_wait_for_one_load() -> None:
    async def story() -> None:
        stage = Stage()
        engine = await stage.asleep()
        waking = Waking(most=200)
        stage.loads.gate.clear()
        held = [asyncio.create_task(waking.wake(engine, PATIENCE)) for _ in range(200)]
        await asyncio.sleep(0)
        one_more = await waking.wake(engine, PATIENCE)
        stage.loads.gate.set()
        assert one_more is not None
        assert one_more.status == 429
        assert await asyncio.gather(*held) == [None] * 200
        assert stage.loads.begun == 2, "the first load, and one to wake up"
        assert not engine.asleep

    asyncio.run(story())


def test_who_waits_too_long_is_told_and_the_load_goes_on() -> None:
    async def story() -> None:
        stage = Stage()
        engine = await stage.asleep()
        stage.loads.gate.clear()
        late = await Waking().wake(engine, 0.01)
        assert late is not None
        assert late.status == 504
        stage.loads.gate.set()
        assert await Waking().wake(engine, PATIENCE) is None
        assert stage.loads.begun == 2

    asyncio.run(story())


def test_what_cannot_be_loaded_again_fails_with_its_reason_and_is_tried_later() -> None:
    async def story() -> None:
        stage = Stage()
        engine = await stage.asleep()
        stage.loads.broken = True
        answer = await Waking().wake(engine, PATIENCE)
        assert answer is not None
        assert answer.status == 503
        assert b"the disk is gone" in answer.body
        assert stage.shelf.states["a"].reason == "the disk is gone"
        assert "a" not in stage.shelf.ready, "the next plan must not count on it"
        stage.loads.broken = False
        stage.clock.advance(2)
        stage.shelf.retry()
        await stage.shelf.settled(PATIENCE)
        assert not stage.shelf.ready["a"].engine.asleep

    asyncio.run(story())


def test_a_package_that_is_not_wanted_any_more_does_not_wake_up() -> None:
    async def story() -> str:
        stage = Stage()
        await stage.asleep()
        stage.shelf.want([])
        try:
            await stage.shelf.wake("a")
        except LockgateError as error:
            return error.message
        return "awake"

    assert asyncio.run(story()) == "this version is not served any more"


def test_what_is_not_wanted_while_it_loads_is_forgotten() -> None:
    async def story() -> None:
        stage = Stage()
        stage.loads.gate.clear()
        stage.shelf.want(["a"])
        await asyncio.sleep(0)
        stage.shelf.want([])
        assert stage.loads.forgotten == ["a"]
        stage.loads.gate.set()
        await stage.shelf.settled(PATIENCE)

    asyncio.run(story())


def test_a_package_whose_process_is_lost_is_not_ready_until_it_is_back() -> None:
    async def story() -> None:
        stage = Stage()
        await stage.ready()
        stage.shelf.lost("a", "killed by signal 9")
        assert stage.shelf.states["a"] == PackageState(Readiness.FAILED, "killed by signal 9")
        stage.shelf.found("a")
        assert stage.shelf.states["a"].readiness is Readiness.READY

    asyncio.run(story())
