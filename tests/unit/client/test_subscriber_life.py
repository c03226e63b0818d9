"""A subscriber's thread: it begins once, ends when it is told to, whoever tells it, and is missed where it is not."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lockgate.client import Subscriber
from lockgate.client.http_source import HttpSource
from lockgate.client.kept import Kept
from lockgate.kernel.errors import Conflict, Unavailable
from tests.samples.followed import House
from tests.unit.client.following import asked, following, until

forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


def subscriber_of(house: House, folder: Path, **more: Any) -> Subscriber:
    return Subscriber(house.channel, house.folder, keys=house.key, folder=folder, **{"interval": 0.02, **more})


def test_whoever_waits_for_a_version_is_told_when_it_is_closed(house: House, tmp_path: Path) -> None:
    subscriber, begun = subscriber_of(house, tmp_path / "kept"), time.monotonic()
    closing = threading.Timer(0.1, subscriber.close)
    closing.start()
    with pytest.raises(Unavailable):
        subscriber.start(30.0)
    assert time.monotonic() - begun < 10.0
    closing.join()


def test_what_was_closed_does_not_start_any_more(house: House, tmp_path: Path) -> None:
    subscriber = subscriber_of(house, tmp_path / "kept")
    subscriber.close()
    with pytest.raises(Conflict, match="closed"):
        subscriber.start(30.0)


def test_of_two_that_start_it_one_is_refused(house: House, tmp_path: Path) -> None:
    house.publish(1, 1)
    subscriber, refused = subscriber_of(house, tmp_path / "kept"), list[Conflict]()

    def start() -> None:
        try:
            subscriber.start()
        except Conflict as error:
            refused.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert [one.name for one in threading.enumerate()].count(f"follows {house.channel}") == 1
    subscriber.close()


def test_a_program_may_close_it_when_it_is_told_a_fault(house: House, tmp_path: Path) -> None:
    house.publish(1, 1)
    closing: list[Subscriber] = []
    subscriber = subscriber_of(house, tmp_path / "kept", on_fault=lambda _fault: closing[0].close())
    closing.append(subscriber)
    with subscriber as model:
        house.put(b"{")
        until(lambda: f"follows {house.channel}" not in [one.name for one in threading.enumerate()])
        assert asked(model) == 1


def test_a_program_that_exits_when_it_is_told_a_fault_does_not_end_the_thread(house: House, tmp_path: Path) -> None:
    house.publish(1, 1)
    with following(house, tmp_path / "kept", on_fault=lambda _fault: sys.exit(1)) as model:
        house.put(b"{")
        until(lambda: model.faults)
        house.publish(2, 2)
        until(lambda: model.version == 2)


@forking
def test_a_forked_child_answers_says_that_nothing_follows_and_leaves_the_parent_alone(house: House, tmp_path: Path) -> None:
    house.publish(1, 1)
    with following(house, tmp_path / "kept") as model:
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            right = asked(model) == 1 and any("nothing follows" in fault for fault in model.faults)
            model.close()
            os._exit(0 if right else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        house.publish(2, 2)
        until(lambda: model.version == 2)
        assert model.faults == ()


@forking
def test_a_child_that_was_forked_while_the_folder_was_locked_does_not_keep_the_lock(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "m@production")
    ready, end = os.pipe(), os.pipe()
    with kept.locked(threading.Event()):
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            os.close(end[1])  # so that it ends with its parent
            os.write(ready[1], b"!")
            os.read(end[0], 1)
            os._exit(0)
        os.read(ready[0], 1)
    stopping = threading.Event()
    impatient = threading.Timer(5.0, stopping.set)
    impatient.start()
    with kept.locked(stopping):
        impatient.cancel()
    os.write(end[1], b"!")
    os.waitpid(child, 0)
    for descriptor in (*ready, *end):
        os.close(descriptor)


def test_what_a_killed_writer_left_is_swept_away(house: House, tmp_path: Path) -> None:
    house.publish(1, 1)
    with following(house, tmp_path / "kept") as model:
        left = tmp_path / "kept" / "channels" / f".{house.channel}.json.4711"
        left.write_bytes(b"{")
        house.publish(2, 2)
        until(lambda: model.version == 2)
        until(lambda: not left.exists())


def test_who_was_interrupted_while_it_connected_asks_nothing(tmp_path: Path) -> None:
    """Where nothing can be shut down yet: it must not wait for the answer of a server that keeps silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = HttpSource(f"http://127.0.0.1:{silent.getsockname()[1]}")
        source.interrupt()
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="interrupted"):
            source.pointer("m@production", "", 0.0)
        source.close()
    assert time.monotonic() - begun < 5.0
