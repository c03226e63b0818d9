"""No process to be had, a disk that takes nothing, a folder with something strange in it: what met it goes on when it is over."""

from __future__ import annotations

import asyncio
import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lockgate.boundary.acknowledgements import Acknowledgement
from lockgate.boundary.observations import Block
from lockgate.boundary.routes import Arm, Revision, Role, Route
from lockgate.runtimes.model import RuntimeFailure
from lockgate.serving.capture.figures import Figures
from lockgate.serving.capture.spool import Spool
from lockgate.serving.control.channel import Channel
from lockgate.serving.control.contact import Contact
from lockgate.serving.control.reporter import Reporter
from lockgate.serving.isolation import shop
from lockgate.serving.isolation.children import Child
from lockgate.serving.server import post as posts
from lockgate.serving.server.post import Post
from lockgate.serving.server.scaling import Bounds
from lockgate.serving.server.settings import Settings
from lockgate.testing.clock import VirtualClock
from tests.integration.serving.data_plane import MODEL, TOKEN, ControlPlane, DataPlane, columns, wait_for
from tests.integration.serving.isolation_keeping import Home, answer_of, feeds, new_home, run, until
from tests.unit.serving.capture import die

pytestmark = pytest.mark.integration

NO_PROCESS = OSError(errno.EAGAIN, "Resource temporarily unavailable")


class Refused(Post):
    """A place whose first workers the system has no process for; then one that waits for the end of its input."""

    left = 3

    async def _start(self) -> Any:
        self._argv = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        if self.left:
            self.left -= 1
            raise NO_PROCESS
        return await super()._start()


def place(home: Path) -> Refused:
    return Refused(Settings("127.0.0.1", 0, Bounds(1, 1), "http://127.0.0.1:1", home, home, home), "w", 2)


def test_a_place_whose_worker_cannot_be_started_is_filled_when_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(posts, "LONGEST_PAUSE", 0.01)

    async def story() -> None:
        post = place(tmp_path)
        await until(lambda: post.pid, "a worker lives there")
        assert not post.given_up
        post.leave()
        await asyncio.wait_for(post.task, 10.0)

    asyncio.run(story())
    assert [one.message for one in caplog.records if one.levelname == "WARNING"] == ["worker not started"] * 3


def test_a_place_that_waits_for_a_process_can_be_left_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        post = place(tmp_path)
        await asyncio.sleep(0.05)
        post.leave()
        await asyncio.wait_for(post.task, 1.0)
        assert post.left == 2, "it was tried once, and then a pause of seconds began"

    asyncio.run(story())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with new_home(tmp_path, monkeypatch) as one:
        yield one


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the system refuse so many processes for models."""

    def refuse(times: int) -> None:
        left = [NO_PROCESS] * times

        class Rare(Child):
            @classmethod
            async def start(cls, *arguments: Any) -> Child:
                if left:
                    raise left.pop()
                return await Child.start(*arguments)

        monkeypatch.setattr(shop, "Child", Rare)

    return refuse


def test_a_host_that_no_process_can_be_had_for_is_started_when_one_can(home: Home, no_process: Callable[[int], None]) -> None:
    no_process(2)
    digest = home.packages.make()

    async def story() -> str:
        async with home.worker() as hosts:
            with pytest.raises(RuntimeFailure) as caught:
                await hosts.open(digest)
            for _ in range(100):
                try:
                    model = await hosts.open(digest)
                    break
                except RuntimeFailure:
                    await asyncio.sleep(0.05)
            (scores,) = await model.run(feeds(1.0), 5.0)
            assert scores.tolist() == answer_of(1.0)
            return caught.value.message

    with home.kept():
        assert "Resource temporarily unavailable" in run(story)


def test_a_package_that_could_not_be_examined_for_want_of_a_process_is_examined_when_there_is_one(
    home: Home, no_process: Callable[[int], None]
) -> None:
    no_process(1)
    digest, other = home.packages.make("first"), home.packages.make("second")

    async def story() -> str:
        async with home.worker() as hosts:
            refused = await hosts.examine(digest)
            assert (await hosts.examine(other)).ok, "the keeper of all others lives"
            for _ in range(100):
                if (await hosts.examine(digest)).ok:
                    return refused.reason
                await asyncio.sleep(0.05)
            raise AssertionError("it is never found to be sound")

    with home.kept():
        assert "Resource temporarily unavailable" in run(story)


def test_a_table_that_the_disk_neither_gives_nor_takes_is_in_force_all_the_same(
    tmp_path: Path, new_plane: Callable[..., DataPlane], own_control: ControlPlane
) -> None:
    (tmp_path / "home" / "data-plane" / "routes.json").mkdir(parents=True)
    plane = new_plane()
    for version in (1, 2):
        arm = Arm(version, plane.artifacts.linear(float(version)), Role.CHAMPION, 1.0)
        revision = own_control.publish(Route(MODEL, (arm,)))
        wait_for(lambda revision=revision: own_control.applied(revision) and plane.ready(), "it routes by it")
        assert plane.infer(columns((1.0, "AA"))).version == str(version)
    for what in ("kept routes unusable", "routes not kept"):
        wait_for(lambda what=what: any(event["event"] == what for event in list(plane.events)), f"the log says: {what}")
    assert len(plane.pids) == 1


class Desk:
    """A reporter with its spool, and a control plane to report to."""

    def __init__(self, root: Path, control: ControlPlane, on_adopted: Callable[[Figures], None] | None = None) -> None:
        self.clock = VirtualClock()
        self.spool = Spool.create(root, "w", "i")
        channel = Channel(f"http://127.0.0.1:{control.port}", TOKEN, 5.0)
        self.reporter = Reporter(channel, Contact(self.clock, 30.0), self.spool, root, self.clock, on_adopted)

    def say(self, n: int) -> None:
        """Acknowledge a revision."""
        self.reporter.acknowledge(Acknowledgement("w", "i", Revision(1, n), 0.0, {}))


@contextmanager
def reporting(desk: Desk) -> Iterator[None]:
    desk.reporter.start()
    try:
        yield
    finally:
        desk.reporter.finish(5.0)
        die(desk.spool)


def test_a_reporter_that_cannot_read_its_spool_goes_on_when_it_can(
    tmp_path: Path, own_control: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(tmp_path, own_control)
    block = Block("w", "i", 1, 0.0, 1.0, shed=3)
    desk.spool.put(block)
    (path,) = desk.spool.blocks()
    content = path.read_bytes()
    path.unlink()
    path.mkdir()  # as unreadable as a broken sector, also for root
    with reporting(desk):
        for n in (1, 2):
            desk.say(n)
            wait_for(lambda n=n: own_control.applied(Revision(1, n)), "what can be said is said")
        path.rmdir()
        path.write_bytes(content)
        wait_for(lambda: own_control.blocks == [block], "the block is sent")
    assert [one.message for one in caplog.records] == ["the disk refuses the spool"]


def test_a_dead_workers_folder_that_breaks_the_reporter_keeps_nothing_else_from_being_told(
    tmp_path: Path, own_control: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [ValueError("a fault of ours")]

    def adopted(_: Figures) -> None:
        if faults:
            raise faults.pop()

    dead = Spool.create(tmp_path, "v", "dead")
    dead.put(Block("v", "dead", 1, 0.0, 1.0, shed=1))
    die(dead)
    desk = Desk(tmp_path, own_control, adopted)
    own = Block("w", "i", 1, 0.0, 1.0, shed=2)
    with reporting(desk):
        wait_for(lambda: not faults, "it met the fault")
        desk.spool.put(own)
        desk.reporter.wake()
        wait_for(lambda: own_control.blocks == [own], "its own block is sent all the same")
        desk.clock.advance(5.0)
        desk.reporter.wake()
        wait_for(lambda: {block.incarnation for block in own_control.blocks} == {"i", "dead"}, "and so is the dead one's, later")
    assert [one.message for one in caplog.records if one.levelname in ("WARNING", "ERROR")] == ["report failed"]
