"""Packages that sleep: who asks for one waits until it is awake, all of them for one load, and within bounds."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from lockgate.boundary.acknowledgements import PackageState, Readiness
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor, encode
from lockgate.kernel.digest import PREFIX, digest_bytes
from lockgate.kernel.errors import LockgateError, Unavailable
from lockgate.runtimes.model import Model
from lockgate.serving.gateway.loading import PackageLoader
from lockgate.serving.gateway.package import Engine, Package
from lockgate.serving.gateway.shelf import Shelf
from lockgate.serving.gateway.vouching import Vouching
from lockgate.serving.gateway.waking import Waking
from lockgate.serving.isolation.client import Hosts
from lockgate.serving.isolation.orders import Footprint, Loaded
from lockgate.serving.isolation.verdicts import Verdict
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


def test_what_fails_after_it_was_let_go_of_is_forgotten_then_too() -> None:
    """A process may have been asked for only after the table let go, and would be wanted for ever."""

    async def story() -> None:
        stage = Stage()
        stage.loads.gate.clear()
        stage.loads.broken = True
        stage.shelf.want(["a"])
        await asyncio.sleep(0)
        stage.shelf.want([])
        stage.loads.gate.set()
        await stage.shelf.settled(PATIENCE)
        assert (stage.loads.forgotten, stage.changes) == (["a", "a"], 0)

    asyncio.run(story())


def test_what_fails_after_it_was_let_go_of_and_is_wanted_again_is_not_forgotten() -> None:
    async def story() -> None:
        stage = Stage()
        stage.loads.gate.clear()
        stage.loads.broken = True
        for wanted in (["a"], [], ["a"]):
            stage.shelf.want(wanted)
            await asyncio.sleep(0)
        stage.loads.gate.set()
        await stage.shelf.settled(PATIENCE)
        assert (stage.loads.forgotten, stage.loads.begun) == (["a"], 2)

    asyncio.run(story())


def test_what_does_not_wake_up_and_was_let_go_of_meanwhile_is_forgotten() -> None:
    async def story() -> None:
        stage = Stage()
        await stage.asleep()
        stage.loads.gate.clear()
        stage.loads.broken = True
        waking = asyncio.create_task(stage.shelf.wake("a"))
        await asyncio.sleep(0)
        stage.shelf.want([])
        assert stage.loads.forgotten == []
        stage.loads.gate.set()
        with pytest.raises(Unavailable):
            await waking
        assert stage.loads.forgotten == ["a"]

    asyncio.run(story())


def test_what_is_wanted_for_less_than_a_moment_is_not_loaded(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        stage = Stage()
        stage.shelf.want(["a"])
        stage.shelf.want([])
        await stage.shelf.settled(PATIENCE)
        assert (stage.loads.begun, stage.loads.forgotten) == (0, ["a"])

    asyncio.run(story())
    assert not caplog.records


class Keeper:
    """The hosts' side of a worker that finds every package sound. held: how often the memory for one is put aside."""

    def __init__(self) -> None:
        self.held = 0

    async def examine(self, digest: str) -> Verdict:
        del digest
        self.held += 1
        return Verdict(report=Loaded(0.1, 0.001, Footprint(0, 0), batchable=True))

    def close(self, digest: str) -> None:
        del digest
        self.held -= 1


def package_without_its_model(artifacts: Path) -> str:
    signature = Signature((Tensor("x", "FP32", (-1, 1)),), (Tensor("y", "FP32", (-1, 1)),), "y")
    lineage = Lineage("run-1", None, dirty=False, author="anna", data={}, params={})
    model = File("model.onnx", digest_bytes(b"nowhere"), 7)
    content = encode(Manifest("m", "onnx", (model,), signature, Golden({"x": [1.0]}, [1.0], 0.0), lineage))
    digest = digest_bytes(content)
    path = artifacts / digest.removeprefix(PREFIX)[:2] / digest.removeprefix(PREFIX)[2:]
    path.parent.mkdir()
    path.write_bytes(content)
    return digest


def test_what_was_sound_elsewhere_and_fails_here_holds_no_memory(tmp_path: Path) -> None:
    """Else each further try would put aside as much again, and nobody would ever give it back."""

    async def story() -> None:
        keeper, digest = Keeper(), package_without_its_model(tmp_path)
        with ThreadPoolExecutor(1) as thread:
            loader = PackageLoader(tmp_path, thread, cast("Hosts", keeper), Vouching(tmp_path, tmp_path))
            for _ in range(2):
                with pytest.raises(LockgateError):
                    await loader.load(digest)
                assert keeper.held == 0

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
