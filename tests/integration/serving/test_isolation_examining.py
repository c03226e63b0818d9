"""A package is loaded once in a process that is thrown away: whatever it does there, the reason is known and nobody was hurt."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lockgate.kernel.digest import digest_bytes, digits
from lockgate.runtimes.model import RuntimeFailure
from lockgate.serving.isolation.client import Hosts
from lockgate.serving.isolation.verdicts import Verdict
from tests.integration.serving.isolation_keeping import Home, feeds, kind_of, lives, new_home, pids, run, until
from tests.integration.serving.isolation_models import MB

pytestmark = pytest.mark.integration
SOON = 5.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with new_home(tmp_path, monkeypatch) as one:
        yield one


def examined(home: Home, digest: str) -> Verdict:
    async def main() -> Verdict:
        async with home.worker() as hosts:
            return await hosts.examine(digest)

    return run(main)


def weights_of(home: Home) -> Path:
    name = digits(digest_bytes(b"weights"))
    return home.packages.path / name[:2] / name[2:]


async def sound(hosts: Hosts, digest: str) -> None:
    """Wait until the package is; the keeper tries it again by itself."""
    for _ in range(200):
        if (await hosts.examine(digest)).ok:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it is never found to be sound")


def test_a_sound_package_comes_with_its_figures(home: Home, tmp_path: Path) -> None:
    digest = home.packages.make(load="ballast", seconds=0.002, pids=str(tmp_path / "pids"))
    with home.kept():
        verdict = examined(home, digest)
        assert not lives(pids(tmp_path / "pids")[0])
    assert verdict.ok
    assert verdict.report is not None
    assert 64 * MB <= verdict.report.footprint.growth < 96 * MB
    assert verdict.report.footprint.spike >= verdict.report.footprint.growth
    assert verdict.report.footprint.process > verdict.report.footprint.growth
    assert 0.002 <= verdict.report.p99 < 0.05
    assert verdict.report.batchable


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"load": "crash"}, r"loading it crashed by signal 11 \(SIGSEGV\)"),
        ({"load": "exit"}, "loading it ended with code 3"),
        ({"load": "leave"}, "SystemExit: no more"),
        ({"load": "raise"}, "ValueError: poisoned"),
        ({"load": "nonsense"}, "no status"),
        ({"load": "swell"}, r"out of memory: it may take 300 MB"),
        ({"offset": 1.0}, r"golden rows: scores differ from the original model's by up to 1, 1e-09 is allowed"),
    ],
)
def test_a_package_that_cannot_be_loaded_comes_with_the_reason(home: Home, options: dict[str, Any], reason: str) -> None:
    with home.kept(memory=300 * MB):
        verdict = examined(home, home.packages.make(**options))
    assert not verdict.ok
    assert re.search(reason, verdict.reason), verdict.reason


@pytest.mark.parametrize("load", ["hang", "hold"])
def test_a_package_that_hangs_while_it_is_loaded_is_ended(home: Home, tmp_path: Path, load: str) -> None:
    with home.kept(load_limit=1.0):
        verdict = examined(home, home.packages.make(load=load, pids=str(tmp_path / "pids")))
        assert verdict.reason == "it was not loaded within 1 s"
        assert not lives(pids(tmp_path / "pids")[0])


def test_a_damaged_and_a_missing_package_come_with_the_reason(home: Home) -> None:
    digest = home.packages.make()
    weights_of(home).write_bytes(b"damaged")
    with home.kept():
        assert "model.bin: expected sha256:" in examined(home, digest).reason
        assert "the manifest: artifact" in examined(home, digest_bytes(b"nothing")).reason


def test_a_restart_need_not_find_out_again(home: Home, tmp_path: Path) -> None:
    sound = home.packages.make("sound", pids=str(tmp_path / "sound"))
    broken = home.packages.make("broken", load="crash", pids=str(tmp_path / "broken"))
    with home.kept():
        before = examined(home, sound), examined(home, broken)
    with home.kept():
        assert (examined(home, sound), examined(home, broken)) == before
    assert len(pids(tmp_path / "sound")) == 1
    assert len(pids(tmp_path / "broken")) == 1


def test_what_failed_for_a_while_is_tried_again(home: Home) -> None:
    digest = home.packages.make()
    weights_of(home).unlink()

    async def main() -> None:
        async with home.worker() as hosts:
            assert "cannot be read" in (await hosts.examine(digest)).reason
            home.packages.put(b"weights")
            await sound(hosts, digest)

    with home.kept():
        run(main)


def test_what_does_not_fit_into_the_budget_is_refused_before_it_is_loaded_and_taken_when_there_is_room(
    home: Home, tmp_path: Path
) -> None:
    first = home.packages.make("first", load="ballast")
    second = home.packages.make("second", load="ballast", pids=str(tmp_path / "pids"))

    async def main() -> None:
        async with home.worker() as hosts:
            assert (await hosts.examine(first)).ok
            verdict = await hosts.examine(second)
            assert not verdict.ok
            assert "2 ×" in verdict.reason
            assert "of the budget of 220 MB are free" in verdict.reason
            assert len(pids(tmp_path / "pids")) == 1  # in the process that was thrown away
            hosts.close(first)
            await sound(hosts, second)

    with home.kept(budget=220 * MB, workers=2):
        run(main)


def test_an_isolated_package_is_held_to_what_is_left_of_the_budget(home: Home) -> None:
    async def main() -> None:
        async with home.worker() as hosts:
            model = await hosts.open(home.packages.make("small"))
            with pytest.raises(RuntimeFailure, match="out of memory: it may take"):
                await hosts.open(home.packages.make("large", load="swell"))
            assert await kind_of(model.run(feeds(1.0), SOON)) == "ok"

    with home.kept(budget=400 * MB):
        run(main)


def test_an_isolated_package_that_cannot_be_loaded_says_why_and_hurts_nobody(home: Home) -> None:
    async def main() -> None:
        async with home.worker() as hosts:
            model = await hosts.open(home.packages.make("sound"))
            with pytest.raises(RuntimeFailure, match="golden rows"):
                await hosts.open(home.packages.make("other", offset=1.0))
            with pytest.raises(RuntimeFailure, match="not loaded within"):
                await hosts.open(home.packages.make("hangs", load="hold"))
            with pytest.raises(RuntimeFailure, match="SIGSEGV"):
                await hosts.open(home.packages.make("crashes", load="crash"))
            begun = time.monotonic()
            assert await kind_of(model.run(feeds(1.0), SOON)) == "ok"
            assert time.monotonic() - begun < 1.0

    with home.kept(load_limit=1.0):
        run(main)


def test_a_process_that_loads_is_ended_when_nobody_wants_it_any_more(home: Home, tmp_path: Path) -> None:
    digest = home.packages.make(load="hang", pids=str(tmp_path / "pids"))

    async def main() -> None:
        async with home.worker() as hosts:
            opening = asyncio.ensure_future(hosts.open(digest))
            await until(lambda: pids(tmp_path / "pids"), "it loads")
            hosts.close(digest)
            with pytest.raises(RuntimeFailure, match="closed"):
                await opening
            await until(lambda: not lives(pids(tmp_path / "pids")[0]), "it is ended")

    with home.kept():
        run(main)
