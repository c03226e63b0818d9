"""A process that runs a stranger's code may say anything to a worker; the worker goes on, and its requests fail as crashed."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from lockgate.serving.isolation import sockets, wire
from lockgate.serving.isolation.frames import HEAD, frame
from lockgate.serving.isolation.remote import RemoteModel
from lockgate.serving.isolation.shadow import RemoteShadow
from tests.integration.serving.isolation_keeping import feeds, kind_of, run, until
from tests.integration.serving.test_isolation_shadows import Ears

pytestmark = pytest.mark.integration
SOON = 5.0
Talk = Callable[[socket.socket], None]


def said(message: object) -> bytes:
    return frame(msgspec.msgpack.encode(message))


def good(number: int) -> bytes:
    return wire.answer(number, 0.1, wire.pack_outputs([np.array([[4.0]])]))


@contextmanager
def host(path: Path, talk: Talk) -> Iterator[None]:
    """Something that listens like a host. talk: what it does with each connection, in a thread."""
    listening = sockets.listen(path)
    listening.settimeout(None)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=converse, args=(connection,), daemon=True).start()

    def converse(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(1 << 16)
                talk(connection)
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def silence(connection: socket.socket) -> None:
    while connection.recv(1 << 16):
        pass


def sending(content: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(content)
        silence(connection)  # until the worker has had enough

    return talk


def noise(seed: int) -> bytes:
    return random.Random(seed).randbytes(2000)


@asynccontextmanager
async def asked(folder: Path) -> AsyncIterator[RemoteModel]:
    model = RemoteModel(patience=0.1)
    model.attach(folder / "host.sock")
    try:
        await model.connected_within(SOON)
        yield model
    finally:
        model.detach("over", hopeless=True)


@asynccontextmanager
async def offered(folder: Path, ears: Ears) -> AsyncIterator[RemoteShadow]:
    shadow = RemoteShadow(ears.hear, SOON)
    shadow.attach(folder / "host.sock")
    try:
        await until(lambda: shadow.connected, "connected")
        yield shadow
    finally:
        shadow.detach("over", hopeless=True)


NONSENSE = {
    "noise": noise(1),
    "more noise": noise(2),
    "framed noise": frame(noise(3)),
    "endless": (0xFFFFFFFF).to_bytes(HEAD, "little"),
    "nobody asked": good(77),
    "twice": good(1) + good(1),
    "no array": said([1, 1, 0.1, [["", 13, [1 << 62], b""]]]),
    "outcomes": said([3, [[1, 0.1, [1.0]]]]),
    "deep": frame(b"\x91" * 100_000),
    "not a number": said([1, 1, float("nan"), []]),
    "text that is none": frame(b"\x94\x02\x01\xa5error\xa2\xff\xff"),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_ends_the_link_and_not_the_worker(tmp_path: Path, what: str) -> None:
    async def main() -> None:
        async with asked(tmp_path) as model:
            first = kind_of(model.run(feeds(1.0), SOON))
            others = [kind_of(model.run(feeds(1.0), SOON)) for _ in range(3)]
            kinds = await asyncio.gather(first, *others)
            assert set(kinds) <= ({"crashed", "ok"} if what == "twice" else {"crashed"})
            assert "crashed" in kinds

    with host(tmp_path / "host.sock", sending(NONSENSE[what])):
        run(main)


def trickle(connection: socket.socket) -> None:
    """Begins an answer and never ends it."""
    connection.sendall(good(1)[:-1])
    silence(connection)


def deaf(connection: socket.socket) -> None:
    """Does not read what comes."""
    threading.Event().wait(1.5)


@pytest.mark.parametrize("talk", [trickle, silence, deaf])
def test_who_never_answers_is_timed_out(tmp_path: Path, talk: Talk) -> None:
    async def main() -> None:
        async with asked(tmp_path) as model:
            large = feeds(*([1.0] * 20_000))
            kinds = await asyncio.gather(*(kind_of(model.run(large, 0.3)) for _ in range(50)))
            assert set(kinds) == {"timeout"}

    with host(tmp_path / "host.sock", talk):
        run(main)


def test_who_is_deaf_is_not_written_to_without_bound(tmp_path: Path) -> None:
    """What was sent to a process that does not read is memory of the worker, also after the requests have timed out."""

    async def main() -> None:
        async with asked(tmp_path) as model:
            huge = wire.pack({"x": np.zeros((1_000_000, 1))})
            count = 0
            while not model.full:
                assert await kind_of(model.ask(huge, 0.02)) == "timeout"
                count += 1
            assert count <= 6  # 8 MB each, 32 MB are the bound

    with host(tmp_path / "host.sock", deaf):
        run(main)


def test_an_answer_that_comes_too_late_is_nobodys(tmp_path: Path) -> None:
    def late(connection: socket.socket) -> None:
        threading.Event().wait(0.3)
        connection.sendall(good(1))
        while data := connection.recv(1 << 16):
            assert data
            connection.sendall(good(2))

    async def main() -> None:
        async with asked(tmp_path) as model:
            assert await kind_of(model.run(feeds(1.0), 0.1)) == "timeout"
            await asyncio.sleep(0.4)
            assert model.connected
            assert await kind_of(model.run(feeds(1.0), SOON)) == "ok"

    with host(tmp_path / "host.sock", late):
        run(main)


SHADOWY = {
    **{name: NONSENSE[name] for name in ("noise", "framed noise", "endless", "deep")},
    "an answer": good(1),
    "nobody offered": wire.outcomes([wire.Scored(99, 0.1, [1.0])]),
    "a crowd": said([3, [[1, 0.1, [1.0]]] * 33]),
    "not a number": said([3, [[1, 0.1, [float("inf")]]]]),
}


@pytest.mark.parametrize("what", SHADOWY)
def test_nonsense_from_a_shadow_ends_its_link_and_accounts_for_every_offer(tmp_path: Path, what: str) -> None:
    ears = Ears()

    async def main() -> None:
        async with offered(tmp_path, ears) as shadow:
            for number in range(5):
                shadow.offer(f"r{number}", 1, wire.pack(feeds(1.0)))
            await ears.all_of(shadow)
            assert ears.kinds == {"crashed": 5}

    with host(tmp_path / "host.sock", sending(SHADOWY[what])):
        run(main)


def test_another_number_of_scores_than_rows_is_a_fault_of_the_output(tmp_path: Path) -> None:
    ears = Ears()

    async def main() -> None:
        async with offered(tmp_path, ears) as shadow:
            shadow.offer("r", 1, wire.pack(feeds(1.0)))
            await ears.all_of(shadow)
            assert ears.kinds == {"output": 1}

    with host(tmp_path / "host.sock", sending(wire.outcomes([wire.Scored(1, 0.1, [1.0, 2.0])]))):
        run(main)
