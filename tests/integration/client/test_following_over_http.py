"""Subscribers of a real control plane over HTTP: they follow it under load, over breaks and damage, and start without it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lockgate.entrypoints.api.app import create_app
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.clock import SystemClock
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.usecases.world import World
from tests.samples.followed import House
from tests.samples.server import served
from tests.unit.client.following import asked, following, until

pytestmark = pytest.mark.integration
TOKEN = "t"


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "home")
    house.publish(1, 1)
    return house


@contextmanager
def control_plane(house: House) -> Iterator[str]:
    world = World(SqlState.open(house.folder / "state.db"), MemoryArtifacts(), SystemClock())
    with served(create_app(world, home=house.folder, control_token=TOKEN)) as address:
        yield address


def test_two_subscribers_follow_a_move_under_load_without_a_failed_prediction(house: House, tmp_path: Path) -> None:
    told: list[Counter[float]] = []
    failed: list[BaseException] = []
    stopping = threading.Event()

    def load(model: Any) -> None:
        counted: Counter[float] = Counter()
        told.append(counted)
        try:
            while not stopping.wait(0.0002):  # all share one interpreter with the control plane
                counted[asked(model)] += 1
        except BaseException as error:
            failed.append(error)
            raise

    with control_plane(house) as address:
        remote = {"source": address, "token": TOKEN}
        with following(house, tmp_path / "a", **remote) as one, following(house, tmp_path / "b", **remote) as other:
            loads = [threading.Thread(target=load, args=(model,)) for model in (one, other)]
            for thread in loads:
                thread.start()
            house.publish(2, 2)
            until(lambda: one.version == other.version == 2)
            until(lambda: all(counted[2] > 100 for counted in told))
            stopping.set()
            for thread in loads:
                thread.join()
            assert one.faults == other.faults == ()
    assert failed == []
    assert all(counted.keys() == {1, 2} for counted in told)


def test_it_follows_on_when_the_control_plane_comes_back_and_starts_without_it(house: House, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with control_plane(house) as address:
        with following(house, kept, source=address, token=TOKEN) as model:
            assert asked(model) == 1
        wrong = tmp_path / "wrong"
        with following(house, kept, source=address, token="wrong") as model:
            until(lambda: any("401" in fault for fault in model.faults))
            assert asked(model) == 1
        assert not wrong.exists()
    with following(house, kept, source=address, token=TOKEN) as model:
        until(lambda: model.faults)
        assert "does not answer" in model.faults[0]
        assert asked(model) == 1


def test_whoever_waits_for_news_is_closed_at_once(house: House, tmp_path: Path) -> None:
    with control_plane(house) as address, following(house, tmp_path / "kept", source=address, token=TOKEN) as model:
        house.publish(2, 2)
        until(lambda: model.version == 2)  # by the first question that waits; the next one is being asked
        time.sleep(0.2)
        begun = time.monotonic()
        model.close()
        assert time.monotonic() - begun < 5.0
        assert model.predict({"x": 1.0}) == 2.0


def test_whoever_waits_for_news_hears_that_there_are_none_and_misses_a_server_that_is_gone(house: House, tmp_path: Path) -> None:
    house.publish(2, house.route(1, house.arm(2, weight=0.5)))
    with ExitStack() as alive:
        address = alive.enter_context(control_plane(house))
        with following(house, tmp_path / "kept", source=address, token=TOKEN, interval=600.0, silence=1.5) as model:
            time.sleep(2.5)
            assert model.faults == ()
            assert {asked(model) for _ in range(100)} == {1, 2}
            alive.close()
            until(lambda: any("nothing was heard" in fault for fault in model.faults))
            assert {asked(model) for _ in range(100)} == {1}


def test_a_plain_web_server_of_the_folder_will_do(house: House, tmp_path: Path) -> None:
    with (
        plainly(partial(_Quiet, directory=str(house.folder))) as address,
        following(house, tmp_path / "kept", source=address) as model,
    ):
        house.publish(2, 2)
        until(lambda: model.version == 2)
        assert asked(model) == 2


def test_a_download_that_is_cut_off_goes_on_where_it_stopped(house: House, tmp_path: Path) -> None:
    size = 3 << 20
    house.release(2, size=size)
    house.publish(2, 2)
    asked_for: list[str] = []
    handler = partial(_CutOff, house, asked_for)
    with plainly(handler) as address, following(house, tmp_path / "kept", source=address) as model:
        assert asked(model) == 2
    begun = [int(one.removeprefix("bytes=").removesuffix("-")) for one in asked_for if one]
    assert begun == sorted(begun)
    assert len(begun) >= 2
    assert begun[-1] >= size // 2


@pytest.mark.parametrize("answer", [b"", b"<html>gateway timeout</html>", b"{}", b"x" * 3_000_000])
@pytest.mark.parametrize("status", [200, 302, 500])
def test_what_is_no_pointer_is_told_and_changes_nothing(house: House, tmp_path: Path, answer: bytes, status: int) -> None:
    kept = tmp_path / "kept"
    with following(house, kept):
        pass
    with plainly(partial(_Says, status, answer)) as address, following(house, kept, source=address) as model:
        until(lambda: model.faults)
        assert asked(model) == 1


def test_a_full_disk_is_told_the_old_version_goes_on_and_with_space_the_new_one_comes(house: House, tmp_path: Path) -> None:
    kept = tmp_path / "small"
    kept.mkdir()
    with small_disk(kept, "4m"), following(house, kept) as model:
        filling = kept / "filling"
        filling.write_bytes(b"f" * (1 << 20))
        house.release(2, size=7 << 19)
        house.publish(2, 2)
        until(lambda: any("bytes free" in fault or "No space" in fault for fault in model.faults))
        assert asked(model) == 1
        filling.unlink()
        until(lambda: model.version == 2)
        until(lambda: not model.faults)


def test_a_disk_without_a_byte_left_keeps_what_answers(house: House, tmp_path: Path) -> None:
    kept = tmp_path / "small"
    kept.mkdir()
    with small_disk(kept, "1m"), following(house, kept) as model:
        fill(kept / "filling")
        house.publish(2, 2)
        until(lambda: any("No space" in fault or "bytes free" in fault for fault in model.faults))
        assert asked(model) == 1
        (kept / "filling").unlink()
        until(lambda: model.version == 2)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"f" * 4096)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    if os.geteuid():
        pytest.skip("only root can mount a small disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def plainly(handler: Any) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    """A folder as any web server has it; no ETags, no ranges."""

    def log_message(self, *_: object) -> None: ...


class _CutOff(BaseHTTPRequestHandler):
    """Gives parts, and breaks off after a megabyte."""

    def __init__(self, house: House, asked_for: list[str], *more: Any) -> None:
        self._house, self._asked_for = house, asked_for
        super().__init__(*more)

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        content = (self._house.folder / self.path.lstrip("/")).read_bytes()
        asked = self.headers.get("Range", "")
        if len(content) > 1 << 20:
            self._asked_for.append(asked)
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - first))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[first : first + (1 << 20)])
        self.close_connection = True


class _Says(BaseHTTPRequestHandler):
    def __init__(self, status: int, answer: bytes, *more: Any) -> None:
        self._status, self._answer = status, answer
        super().__init__(*more)

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self.send_response(self._status)
        self.send_header("Content-Length", str(len(self._answer)))
        self.end_headers()
        try:
            self.wfile.write(self._answer)
        except ConnectionError:
            self.close_connection = True  # it has heard enough
