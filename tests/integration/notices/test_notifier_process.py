"""The notifier as a process: killed at any moment, every event that is wanted arrives at least once, and no secret lies about."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lockgate.domain.events import Action
from lockgate.domain.notices import Channel, DeliveryState
from lockgate.domain.policy import Policy
from lockgate.entrypoints.notifier.__main__ import serve
from lockgate.entrypoints.supervisor.up import Addresses, commands
from lockgate.ports.state import DELIVERIES, LEASES, POLICIES
from lockgate.testing.builders import ANNA, happened
from lockgate.testing.company import policy_record
from lockgate.usecases.set_webhook import SetWebhook, WantedWebhook, add_webhook, rotate_key
from lockgate.usecases.take_up_events import Outbox
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.notices import open_notices
from lockgate.wiring.world import open_world
from tests.samples.receivers import HttpReceiver, http_receiver

pytestmark = pytest.mark.integration


@pytest.fixture
def home(tmp_path: Path) -> Home:
    here = Home(tmp_path / "home")
    here.folder.mkdir()
    return here


@pytest.fixture
def world(home: Home) -> World:
    """Whose policy lets notices go to this machine."""
    here = open_world(home)
    with here.state.write() as tx:
        tx.put(POLICIES, policy_record(policy=Policy(targets=("127.0.0.1",))))
    return here


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as here:
        yield here


def add(world: World, home: Home, receiver: HttpReceiver) -> SetWebhook:
    return add_webhook(world, open_notices(home), ANNA, WantedWebhook(Channel.HTTP, receiver.url, ("request:*",)))


def happens(world: World) -> int:
    with world.state.write() as tx:
        return tx.record(happened(action=Action.REQUEST_CREATED, details={"to": "Production"})).seq


@contextmanager
def notifier(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-m", "lockgate.entrypoints.notifier", "--home", str(home.folder)]
    with (home.folder / "notifier.log").open("ab") as log, subprocess.Popen(words, stderr=log) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def test_what_was_committed_before_a_kill_is_delivered_after_it(home: Home, world: World, receiver: HttpReceiver) -> None:
    made = add(world, home, receiver)
    seqs = [happens(world) for _ in range(20)]
    receiver.delay = 30.0
    with notifier(home) as process:
        receiver.wait(1)
        os.kill(process.pid, signal.SIGKILL)  # some are on their way, all are taken up, nothing is written down
    with world.state.read() as tx:
        assert {one.state for one in tx.find(DELIVERIES)} == {DeliveryState.WAITING}
    receiver.delay = 0.0
    receiver.closing.set()  # those that were held answer, to nobody
    with notifier(home) as process:
        receiver.wait(20)
        wait_for_all(world, 20)
        process.terminate()
        assert process.wait(10) == 0
    assert set(receiver.ids) == {f"{made.webhook.id}-{seq}" for seq in seqs}
    with world.state.read() as tx:
        assert tx.get(LEASES, "notifier") is None


def wait_for_all(world: World, count: int) -> None:
    end = time.monotonic() + 20
    while True:
        with world.state.read() as tx:
            if tx.count(DELIVERIES, state=DeliveryState.DELIVERED.value) == count:
                return
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_random_kills_lose_nothing_and_make_nothing_up(home: Home, world: World, receiver: HttpReceiver) -> None:
    made = add(world, home, receiver)
    chance = random.Random(7)
    receiver.delay = 0.02
    seqs = []
    for _ in range(4):
        sent = len(receiver.got)
        with notifier(home) as process:
            while len(receiver.got) < sent + chance.randrange(3, 20):
                seqs.append(happens(world))
                time.sleep(0.02)
            process.kill()
        with world.state.write() as tx:
            tx.remove(LEASES, "notifier")  # as if its time were over
    with notifier(home):
        wait_for_all(world, len(seqs))
    assert set(receiver.ids) == {f"{made.webhook.id}-{seq}" for seq in seqs}
    assert len(receiver.ids) < 2 * len(seqs), "a repetition is the exception"


def test_a_receiver_verifies_it_through_a_rotation(home: Home, world: World, receiver: HttpReceiver) -> None:
    first = add(world, home, receiver)
    second = rotate_key(world, open_notices(home), ANNA, first.webhook.id)
    happens(world)
    with notifier(home):
        receiver.wait(1)
    [got] = receiver.got
    content = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    signatures = got.headers["webhook-signature"].split(" ")
    for key in (second.key, first.key):
        secret = base64.b64decode(key.removeprefix("whsec_"))
        assert signatures.pop(0) == "v1," + base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    assert abs(int(got.headers["webhook-timestamp"]) - world.clock.unix()) < 60
    assert json.loads(got.body)["type"] == "request:transition:created"


def test_no_secret_lies_in_the_state_or_in_a_log(home: Home, world: World, receiver: HttpReceiver) -> None:
    made = add(world, home, receiver)
    receiver.status = 500
    happens(world)
    with notifier(home):
        receiver.wait(1)
        time.sleep(0.5)
    Outbox(world).take_up()
    files = [path for path in home.folder.rglob("*") if path.is_file() and path.parent != home.secrets]
    everywhere = b"".join(path.read_bytes() for path in files)
    assert b"request:transition:created" in everywhere
    assert f"{made.webhook.target}".encode() in everywhere
    for secret in (made.key, made.key.removeprefix("whsec_"), "very-secret", receiver.url):
        assert secret.encode() not in everywhere
    kept = home.secrets / "webhooks.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert made.key in kept.read_text()


def test_told_to_stop_it_ends_and_gives_the_lease_back(home: Home) -> None:
    stopping = threading.Event()
    thread = threading.Thread(target=serve, args=(home, stopping))
    thread.start()
    stopping.set()
    thread.join(20)
    assert not thread.is_alive()
    with open_world(home).state.read() as tx:
        assert tx.get(LEASES, "notifier") is None


def test_a_server_has_one_and_it_knows_by_which_address_people_come(home: Home) -> None:
    words = commands(home, Addresses(url="https://lockgate.example.org"))["notifier"]
    assert words[1:3] == ["-m", "lockgate.entrypoints.notifier"]
    assert words[-2:] == ["--url", "https://lockgate.example.org"]
    assert "--watch-stdin" in words
    assert "--url" not in commands(home, Addresses())["notifier"]
