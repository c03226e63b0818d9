"""What many subscribers ask at once: no thread takes from another what it needs, and no key makes all others wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.boundary.releases import Release
from lockgate.entrypoints.api.channel_watch import ChannelWatch
from lockgate.entrypoints.api.published import Published
from lockgate.kernel.errors import Unavailable
from tests.samples.followed import CHANNEL, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.publish(1, 1)
    return house


class Interrupted(dict[Release, tuple[str, ...]]):
    """A memory of releases: once the first is kept, another thread gets its turn."""

    def __init__(self, turn: Callable[[], object]) -> None:
        self._thread = threading.Thread(target=turn)

    def __setitem__(self, release: Release, digests: tuple[str, ...]) -> None:
        super().__setitem__(release, digests)
        if self._thread.ident is None:
            self._thread.start()
            self._thread.join(0.3)  # or it has to wait for the one that was interrupted

    def end(self) -> None:
        self._thread.join()


def test_a_thread_finds_what_it_read_though_another_looks_meanwhile(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.entrypoints.api.published._MOST_MANIFESTS", 1)  # the other forgets what this one has read
    published = Published(house.folder)
    first, second = house.releases[1].digest, house.release(2).digest
    told: list[frozenset[str]] = []

    def other() -> None:
        house.publish(2, 2)
        told.append(published.artifact(second)[1])

    memory = Interrupted(other)
    monkeypatch.setattr(published, "_named", memory)
    assert published.artifact(first)[1] == {house.model}
    memory.end()
    assert told == [{house.model}]
    assert published.artifact(first)[1] == frozenset()


def test_of_one_key_so_many_wait_and_others_besides(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.entrypoints.api.channel_watch.MOST", 2)
    watch = ChannelWatch(Published(house.folder), 0.005)

    async def many() -> None:
        found = await watch.other_than(CHANNEL, "", 0.0, "a")
        assert found is not None
        waiting = [asyncio.create_task(watch.other_than(CHANNEL, found.tag, 0.3, "a")) for _ in range(2)]
        await asyncio.sleep(0.1)
        with pytest.raises(Unavailable, match="2 questions of the key a wait already"):
            await watch.other_than(CHANNEL, found.tag, 0.1, "a")
        assert await watch.other_than(CHANNEL, found.tag, 0.0, "b") == found
        assert await asyncio.gather(*waiting) == [found, found]
        assert await watch.other_than(CHANNEL, found.tag, 0.01, "a") == found, "they wait no more"

    asyncio.run(many())
