"""Models in processes of their own: they crash, hang, swell and raise there, and whoever asks them hears of it in time."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lockgate.kernel.clock import SystemClock
from lockgate.kernel.errors import Conflict
from lockgate.runtimes.model import RuntimeFailure
from lockgate.serving.gateway.loading import PackageLoader
from lockgate.serving.gateway.shelf import Shelf
from lockgate.serving.gateway.vouching import Vouching
from lockgate.serving.isolation.remote import Overloaded
from tests.integration.serving import isolation_models as models
from tests.integration.serving.isolation_keeping import (
    Home,
    answer_of,
    children,
    feeds,
    kind_of,
    lives,
    new_home,
    pids,
    run,
    until,
)

pytestmark = pytest.mark.integration
SOON = 5.0  # seconds


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with new_home(tmp_path, monkeypatch) as one:
        yield one


def test_requests_are_answered_by_one_process_in_shared_runs(home: Home, tmp_path: Path) -> None:
    digest = home.packages.make(seconds=0.01, calls=str(tmp_path / "calls"), pids=str(tmp_path / "pids"))

    async def main() -> None:
        async with home.worker() as first, home.worker() as second:
            one, two = await first.open(digest), await second.open(digest)
            (scores,) = await one.run(feeds(1.0, 2.0, 3.0), SOON)
            assert scores.tolist() == answer_of(1.0, 2.0, 3.0)
            (tmp_path / "calls").write_text("")
            numbers = [float(number) for number in range(60)]
            answers = await asyncio.gather(*(model.run(feeds(number), SOON) for number in numbers for model in (one, two)))
            assert [outputs[0].tolist() for outputs in answers] == [answer_of(n) for n in numbers for _ in (one, two)]

    with home.kept():
        run(main)
    runs = [int(line) for line in (tmp_path / "calls").read_text().split()]
    assert sum(runs) == 120
    assert len(runs) < 30
    assert len(pids(tmp_path / "pids")) == 1


def test_one_poisoned_request_among_32_fails_alone(home: Home, tmp_path: Path) -> None:
    digest = home.packages.make(seconds=0.05, calls=str(tmp_path / "calls"))

    async def main() -> None:
        async with home.worker() as hosts:
            model = await hosts.open(digest)
            (tmp_path / "calls").write_text("")
            ahead = asyncio.ensure_future(model.run(feeds(0.0), SOON))  # while it runs, the others gather
            await asyncio.sleep(0.02)
            values = [models.RAISE if number == 13 else float(number) for number in range(32)]
            kinds = await asyncio.gather(*(kind_of(model.run(feeds(value), SOON)) for value in values))
            assert kinds == ["error" if value == models.RAISE else "ok" for value in values]
            await ahead

    with home.kept():
        run(main)
    assert len((tmp_path / "calls").read_text().split()) <= 1 + 1 + 2 * 5


def test_a_model_whose_rows_depend_on_each_other_never_shares_a_run(home: Home, tmp_path: Path) -> None:
    digest = home.packages.make(seconds=0.01, mean=True, scores=(5.0, 5.0), calls=str(tmp_path / "calls"))

    async def main() -> None:
        async with home.worker() as hosts:
            model = await hosts.open(digest)
            answers = await asyncio.gather(*(model.run(feeds(float(number)), SOON) for number in range(8)))
            assert [outputs[0].tolist() for outputs in answers] == [answer_of(float(number)) for number in range(8)]

    with home.kept():
        run(main)


@pytest.mark.parametrize("poison", [models.CRASH, models.EXIT])
def test_what_is_under_way_when_a_process_dies_fails_at_once_and_what_comes_later_is_answered(home: Home, poison: float) -> None:
    async def main() -> None:
        async with home.worker() as hosts:
            model = await hosts.open(home.packages.make())
            begun = time.monotonic()
            kinds = await asyncio.gather(*(kind_of(model.run(feeds(value), 20.0)) for value in (poison, 1.0, 2.0)))
            assert kinds[0] == "crashed"
            assert time.monotonic() - begun < 10.0
            await until(lambda: model.connected, "another process")
            assert (await model.run(feeds(4.0), SOON))[0].tolist() == answer_of(4.0)

    with home.kept():
        run(main)


@pytest.mark.parametrize("poison", [models.HANG, models.HOLD])
def test_a_model_that_hangs_is_timed_out_at_the_deadline_and_its_process_replaced(home: Home, poison: float) -> None:
    async def main() -> None:
        async with home.worker() as hosts:
            model = await hosts.open(home.packages.make())
            begun = time.monotonic()
            stuck = kind_of(model.run(feeds(poison), 0.3)), kind_of(model.run(feeds(1.0), 0.4))
            assert list(await asyncio.gather(*stuck)) == ["timeout", "timeout"]
            assert time.monotonic() - begun < 0.9
            await until(lambda: not model.connected, "it is ended")
            await until(lambda: model.connected, "another process")
            assert await kind_of(model.run(feeds(1.0), SOON)) == "ok"

    with home.kept(hang_limit=0.8):
        run(main)


def test_a_process_that_was_killed_under_load_takes_down_what_it_had_and_nothing_else(home: Home, tmp_path: Path) -> None:
    digest = home.packages.make(seconds=0.04, pids=str(tmp_path / "pids"))

    async def main() -> None:
        async with home.worker() as hosts:
            model = await hosts.open(digest)
            kinds: list[str] = []

            async def client() -> None:
                for _ in range(20):
                    kinds.append(await kind_of(model.run(feeds(1.0), SOON)))
                    await asyncio.sleep(0.002)

            clients = asyncio.gather(*(client() for _ in range(16)))
            await asyncio.sleep(0.2)
            os.kill(pids(tmp_path / "pids")[-1], signal.SIGKILL)
            await clients
            assert len(kinds) == 320
            assert set(kinds) <= {"ok", "crashed"}
            assert 0 < kinds.count("crashed") <= 16 * 2  # a request waits for the next process, but not for long
            assert kinds[-16:] == ["ok"] * 16

    with home.kept():
        run(main)


@pytest.mark.parametrize("poison", [models.SWELL, models.LEAK])
def test_memory_that_ran_out_fails_its_request_and_a_process_that_cannot_go_on_is_replaced(
    home: Home, tmp_path: Path, poison: float
) -> None:
    digest = home.packages.make(pids=str(tmp_path / "pids"))

    async def main() -> None:
        async with home.worker() as hosts:
            model = await hosts.open(digest, memory=200 * models.MB)
            while await kind_of(model.run(feeds(poison), SOON)) == "ok":
                assert await kind_of(model.run(feeds(1.0), SOON)) == "ok"
            await until(lambda: len(pids(tmp_path / "pids")) == 2, "another process")
            await until(lambda: model.connected, "it is ready")
            assert await kind_of(model.run(feeds(1.0), SOON)) == "ok"

    with home.kept():
        run(main)


def test_a_process_that_dies_again_and_again_has_failed_and_nobody_waits_for_it(home: Home) -> None:
    async def main() -> None:
        async with home.worker() as hosts:
            digest = home.packages.make()
            model = await hosts.open(digest)
            for _ in range(3):
                await until(lambda: model.connected, "it is ready")
                await kind_of(model.run(feeds(models.CRASH), SOON))
            await asyncio.sleep(0.1)
            with pytest.raises(RuntimeFailure, match="SIGSEGV"):
                await hosts.open(digest)
            begun = time.monotonic()
            assert await kind_of(model.run(feeds(1.0), SOON)) == "crashed"
            assert time.monotonic() - begun < 0.1
            await until(lambda: model.connected, "it is tried again, rarely")
            assert await kind_of(model.run(feeds(1.0), SOON)) == "ok"

    with home.kept():
        run(main)


def test_more_than_may_be_under_way_is_refused_as_overload_and_not_as_failure(home: Home) -> None:
    async def main() -> None:
        async with home.worker() as hosts:
            model = await hosts.open(home.packages.make(seconds=0.2))
            results = await asyncio.gather(*(model.run(feeds(1.0), SOON) for _ in range(300)), return_exceptions=True)
            assert sum(isinstance(result, Overloaded) for result in results) == 300 - 256
            assert sum(isinstance(result, list) for result in results) == 256
            assert not model.full

    with home.kept():
        run(main)


def test_a_worker_finds_its_models_again_when_the_keeper_was_restarted(home: Home) -> None:
    async def main() -> None:
        async with home.worker() as hosts:
            with home.kept():
                model = await hosts.open(home.packages.make())
            assert await kind_of(model.run(feeds(1.0), 0.2)) == "crashed"
            with home.kept():
                await until(lambda: model.connected, "its process")
                assert await kind_of(model.run(feeds(1.0), SOON)) == "ok"

    run(main)


def test_a_process_lives_as_long_as_anybody_wants_it_and_a_little_longer(home: Home, tmp_path: Path) -> None:
    digest = home.packages.make(pids=str(tmp_path / "pids"), load="fork")

    async def main() -> None:
        for _ in range(2):  # a worker that is replaced finds it again
            async with home.worker() as hosts:
                await hosts.open(digest)
        (pid,) = pids(tmp_path / "pids")
        (child,) = children(pid)
        assert lives(pid)
        await until(lambda: not lives(pid), "it is ended")
        await until(lambda: not lives(child), "what it had started is ended too")

    with home.kept():
        run(main)


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def test_a_model_sees_no_secrets_and_what_it_prints_is_no_status(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    digest = home.packages.make(pids=str(tmp_path / "pids"))

    async def main() -> None:
        async with home.worker() as hosts:
            model = await hosts.open(digest)
            (pid,) = pids(tmp_path / "pids")
            environment = environment_of(pid)
            assert b"secret" not in environment
            assert b"OMP_NUM_THREADS=1" in environment
            assert await kind_of(model.run(feeds(models.PRINT), SOON)) == "ok"
            await asyncio.sleep(0.2)
            assert await kind_of(model.run(feeds(1.0), SOON)) == "ok"
            assert pids(tmp_path / "pids") == [pid]

    with home.kept():
        run(main)


def test_requests_that_are_under_way_are_answered_before_a_package_is_let_go_of(home: Home) -> None:
    async def main() -> None:
        async with home.worker() as hosts:
            digest = home.packages.make(seconds=0.5)
            model = await hosts.open(digest)
            asked = asyncio.ensure_future(kind_of(model.run(feeds(1.0), SOON)))
            await asyncio.sleep(0.1)
            hosts.close(digest)
            assert await asked == "ok"
            await until(lambda: not model.connected, "it is let go of")

    with home.kept(linger=0.05):
        run(main)


def test_who_lets_go_of_a_package_that_was_opened_again_meanwhile_takes_it_from_nobody(home: Home) -> None:
    """A route that goes there and back: the first place is freed after the second one was filled."""

    async def main() -> None:
        async with home.worker() as hosts:
            digest = home.packages.make()
            model = await hosts.open(digest)
            assert await hosts.open(digest) is model
            again = asyncio.ensure_future(hosts.open(digest))
            await asyncio.sleep(0)
            hosts.close(digest)
            hosts.close(digest)
            assert await again is model
            await asyncio.sleep(0.3)
            assert await kind_of(model.run(feeds(1.0), SOON)) == "ok"
            hosts.close(digest)
            assert await kind_of(model.run(feeds(1.0), SOON)) == "crashed"

    with home.kept(linger=0.05):
        run(main)


def test_a_package_that_fails_after_its_table_let_go_of_it_is_not_tried_for_ever(home: Home, tmp_path: Path) -> None:
    digest, gate = home.packages.make(load="raise", pids=str(tmp_path / "pids")), threading.Event()

    async def main() -> None:
        with ThreadPoolExecutor(1) as thread:
            async with home.worker() as hosts:
                shelf = Shelf(
                    PackageLoader(home.packages.path, thread, hosts, Vouching(tmp_path, home.packages.path)),
                    SystemClock(),
                    lambda: None,
                )
                thread.submit(gate.wait)  # behind it the manifest is read, and only then a process asked for
                for wanted in ([digest], []):
                    shelf.want(wanted)
                    await asyncio.sleep(0.05)
                gate.set()
                await shelf.settled(10.0)
                await asyncio.sleep(0.7)  # as long as it lingers, it may be tried again
                tried = len(pids(tmp_path / "pids"))
                await asyncio.sleep(1.7)
                assert len(pids(tmp_path / "pids")) == tried >= 1

    with home.kept():
        run(main)


def test_a_home_has_one_keeper_and_a_server_that_leaves_is_waited_for(home: Home) -> None:
    with home.kept(), pytest.raises(Conflict, match="another server"), home.kept(handover=0.2):
        raise AssertionError
    with home.kept() as leaving:
        home.do_later(0.3, leaving.stop)
        with home.kept(handover=5.0):
            pass


def test_a_home_may_lie_deeper_than_a_sockets_address_is_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()

    async def main() -> None:
        async with deep.worker() as hosts:
            model = await hosts.open(deep.packages.make())
            assert await kind_of(model.run(feeds(1.0), SOON)) == "ok"

    with new_home(folder, monkeypatch) as deep, deep.kept():
        run(main)
