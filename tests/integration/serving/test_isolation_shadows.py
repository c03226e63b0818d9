"""Shadows are asked without waiting and answered in groups; whatever they do, every offer that was taken comes back once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lockgate.serving.isolation import wire
from lockgate.serving.isolation.shadow import Outcome, RemoteShadow
from tests.integration.serving import isolation_models as models
from tests.integration.serving.isolation_keeping import Home, feeds, kind_of, new_home, pids, run, until

pytestmark = pytest.mark.integration
SOON = 5.0
PATIENT = 60.0
ONE = wire.pack(feeds(1.0))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with new_home(tmp_path, monkeypatch) as one:
        yield one


@dataclass
class Ears:
    """What came back, and in which groups."""

    outcomes: list[Outcome] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)

    def hear(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes
        self.groups.append(len(outcomes))

    @property
    def kinds(self) -> Counter[str]:
        return Counter(outcome.failure or "ok" for outcome in self.outcomes)

    async def all_of(self, shadow: RemoteShadow) -> None:
        await until(lambda: len(self.outcomes) >= shadow.taken, "every offer that was taken has an outcome", PATIENT)
        await asyncio.sleep(0.1)
        assert len(self.outcomes) == shadow.taken
        assert len({outcome.request_id for outcome in self.outcomes}) == shadow.taken


async def connected(shadow: RemoteShadow) -> None:
    await until(lambda: shadow.connected, "the shadow is connected")


def test_offers_come_back_in_small_groups_with_their_scores(home: Home) -> None:
    ears = Ears()

    async def main() -> None:
        async with home.worker() as hosts:
            shadow = await hosts.open_shadow(home.packages.make(), ears.hear, SOON)
            await connected(shadow)
            for number in range(200):
                assert shadow.offer(f"r{number}", 2, wire.pack(feeds(float(number), 1.0)))
            await ears.all_of(shadow)

    with home.kept():
        run(main)
    assert {one.request_id: list(one.scores) for one in ears.outcomes} == {f"r{n}": [2.0 * n + 2.0, 4.0] for n in range(200)}
    assert max(ears.groups) <= 32
    assert len(ears.groups) < 60


def test_a_fault_of_one_offer_is_that_offers(home: Home) -> None:
    ears = Ears()

    async def main() -> None:
        async with home.worker() as hosts:
            shadow = await hosts.open_shadow(home.packages.make(), ears.hear, SOON)
            await connected(shadow)
            for value in (1.0, models.RAISE, models.NAN, models.DROP, 2.0):
                shadow.offer(str(value), 1, wire.pack(feeds(value)))
            await ears.all_of(shadow)

    with home.kept():
        run(main)
    assert {one.request_id: one.failure for one in ears.outcomes} == {
        "1.0": None,
        str(models.RAISE): "error",
        str(models.NAN): "output",
        str(models.DROP): "output",
        "2.0": None,
    }


def test_a_shadow_that_hangs_sheds_what_it_cannot_take_and_times_out_what_it_took(home: Home) -> None:
    ears = Ears()
    large = wire.pack(feeds(*([1.0] * 1000)))
    slowest = 0.0

    async def main() -> None:
        nonlocal slowest
        async with home.worker() as hosts:
            shadow = await hosts.open_shadow(home.packages.make(), ears.hear, 0.5)
            await connected(shadow)
            shadow.offer("stuck", 1, wire.pack(feeds(models.HANG)))
            await asyncio.sleep(0.1)
            for number in range(3000):
                begun = time.perf_counter()
                shadow.offer(f"r{number}", 1000, large)
                slowest = max(slowest, time.perf_counter() - begun)
            assert shadow.shed > 0
            assert shadow.taken + shadow.shed == 3001
            await ears.all_of(shadow)
            assert ears.kinds == {"timeout": shadow.taken}

    with home.kept(hang_limit=20.0):
        run(main)
    assert slowest < 0.5  # nobody waited


@pytest.mark.parametrize("how", ["crash", "kill"])
def test_offers_that_were_under_way_when_the_process_died_have_crashed(home: Home, tmp_path: Path, how: str) -> None:
    ears = Ears()
    digest = home.packages.make(pids=str(tmp_path / "pids"), seconds=0.1)

    async def main() -> None:
        async with home.worker() as hosts:
            shadow = await hosts.open_shadow(digest, ears.hear, SOON)
            await connected(shadow)
            for number in range(100):
                shadow.offer(f"r{number}", 1, ONE if number or how == "kill" else wire.pack(feeds(models.CRASH)))
            if how == "kill":
                os.kill(pids(tmp_path / "pids")[0], signal.SIGKILL)
            await ears.all_of(shadow)
            assert ears.kinds == {"crashed": 100}
            somebody_is_there = shadow.connected  # again already, on a busy machine
            assert shadow.offer("nobody is there", 1, ONE) is somebody_is_there
            await connected(shadow)
            shadow.offer("later", 1, ONE)
            await until(lambda: ears.kinds["ok"] >= 1, "another process answers")

    with home.kept():
        run(main)


def test_what_is_under_way_when_a_shadow_is_closed_was_cancelled_and_has_not_failed(home: Home) -> None:
    ears = Ears()

    async def main() -> None:
        async with home.worker() as hosts:
            digest = home.packages.make(seconds=0.5)
            shadow = await hosts.open_shadow(digest, ears.hear, SOON)
            await connected(shadow)
            for number in range(40):
                shadow.offer(f"r{number}", 1, ONE)
            hosts.close_shadow(digest)
            await ears.all_of(shadow)
            assert ears.kinds == {"cancelled": 40}

    with home.kept():
        run(main)


def test_a_shadow_and_the_same_package_in_use_are_two_processes_and_the_shadow_gives_way(home: Home, tmp_path: Path) -> None:
    digest = home.packages.make(pids=str(tmp_path / "pids"))

    async def main() -> None:
        async with home.worker() as hosts:
            model = await hosts.open(digest)
            await connected(await hosts.open_shadow(digest, Ears().hear, SOON))
            in_use, shadow = pids(tmp_path / "pids")
            assert os.getpriority(os.PRIO_PROCESS, shadow) == 19
            assert os.getpriority(os.PRIO_PROCESS, in_use) == os.getpriority(os.PRIO_PROCESS, 0)
            hosts.close_shadow(digest)
            assert await kind_of(model.run(feeds(1.0), SOON)) == "ok"

    with home.kept():
        run(main)


def test_the_loop_goes_on_while_thousands_of_outcomes_come_back(home: Home) -> None:
    """A worker's loop takes a small group or two in a turn: whatever else waits has its turn in between."""
    ears = Ears()
    turn = 0
    heard_in: list[int] = []

    def next_turn() -> None:
        nonlocal turn
        turn += 1

    def hear(outcomes: Sequence[Outcome]) -> None:
        heard_in.append(turn)
        asyncio.get_running_loop().call_soon(next_turn)
        ears.hear(outcomes)

    async def main() -> None:
        async with home.worker() as hosts:
            shadow = await hosts.open_shadow(home.packages.make(), hear, PATIENT)
            await connected(shadow)
            for burst in range(20):
                for number in range(100):
                    shadow.offer(f"{burst}.{number}", 1, ONE)
                await asyncio.sleep(0.03)
            await ears.all_of(shadow)

    with home.kept():
        run(main)
    assert ears.kinds["ok"] > 1000
    assert max(ears.groups) <= 32
    assert max(Counter(heard_in).values()) <= 2
