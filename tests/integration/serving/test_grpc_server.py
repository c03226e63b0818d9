"""The gRPC server by itself, with an application of a few lines: what callers may do to it, and what becomes of the others."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pytest

from lockgate.serving.gateway.admission import Admission
from lockgate.serving.protocol.problems import Answer
from tests.integration.serving.data_plane import wait_for

MISSING = [name for name in ("grpc", "google.protobuf") if find_spec(name.split(".")[0]) is None]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(MISSING) and os.environ.get("CI") != "true", reason=f"not installed: {', '.join(MISSING)}"),
]

LIMIT = 1 << 20  # bytes of a message
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"  # and empty settings


class Application:
    """Gives each message back. `b"fault"`: raises. `b"later"`, and all when it is patient: once it is told to."""

    closed = False

    def __init__(self) -> None:
        self.patient = False
        self.go_on = threading.Event()
        self.answered: list[bytes] = []
        self.shed = 0

    def refusal(self, call: Any) -> Answer | None:
        return None if call.headers.get("x-api-key") else Answer(401, [], b'{"error": "who are you?"}')

    def answer(self, call: Any, body: bytes) -> Any:
        if body == b"fault":
            raise ValueError("a fault of ours")
        return self.later(body) if self.patient or body == b"later" else self.now(body)

    def now(self, body: bytes) -> Answer:
        self.answered.append(body)
        return Answer(200, [("x-lockgate-version", "7")], body)

    async def later(self, body: bytes) -> Answer:
        await asyncio.to_thread(self.go_on.wait, 60)
        return self.now(body)

    def turned_away(self, number: int) -> None:
        self.shed += number


class Faulty(Application):
    """The first time that it is asked where nobody should ask long, it raises."""

    def __init__(self) -> None:
        super().__init__()
        self.raised = False

    @property
    def closed(self) -> bool:  # type: ignore[override]
        if self.raised:
            return False
        self.raised = True
        raise ValueError("a fault of ours")


class Running:
    def __init__(self, application: Application, port: int, loop: asyncio.AbstractEventLoop, server: Any) -> None:
        import grpc

        self.application, self.port, self.server, self._loop = application, port, server, loop
        self.stopped = False
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.call: Callable[..., bytes] = self.channel.unary_unary("/any.Service/Method")

    def send(self, body: bytes, seconds: float = 20.0, **more: Any) -> Any:
        """What comes back: the message, or the code of the error."""
        import grpc

        try:
            return self.call(body, timeout=seconds, **more)
        except grpc.RpcError as error:
            return error.code().name

    def in_loop(self, do: Callable[[], Any]) -> Any:
        async def doing() -> Any:
            return do()

        return asyncio.run_coroutine_threadsafe(doing(), self._loop).result(20)

    def stop(self, patience: float) -> None:
        if self.stopped:
            return
        self.stopped = True
        asyncio.run_coroutine_threadsafe(self.server.stop(patience), self._loop).result(20)


@contextmanager
def running(application: Application | None = None, patience: float = 5.0) -> Iterator[Running]:
    from lockgate.serving.grpc.port import reserved
    from lockgate.serving.grpc.server import Door, Server

    application = application or Application()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin(port: int) -> Any:
        server = Server(application, Door("127.0.0.1", port, None, LIMIT, 4 * LIMIT), Admission(patience))
        server.start()
        return server

    with reserved("127.0.0.1", 0) as port:
        one = Running(application, port, loop, asyncio.run_coroutine_threadsafe(begin(port), loop).result(20))
        try:
            yield one
        finally:
            application.go_on.set()
            one.channel.close()
            one.stop(1.0)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


@pytest.fixture
def server() -> Iterator[Running]:
    with running() as one:
        yield one


def request(path: bytes, *more: tuple[bytes, bytes], message: bytes = b"") -> bytes:
    """The headers of a call as HTTP/2 has them, of any path, and its message."""

    def literal(name: bytes, value: bytes) -> bytes:
        return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value

    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"x")]
    block = b"".join(literal(*one) for one in [*fields, (b"content-type", b"application/grpc"), (b"te", b"trailers"), *more])
    headers = struct.pack(">I", len(block))[1:] + b"\x01\x04\0\0\0\x01" + block
    data = struct.pack(">BI", 0, len(message)) + message
    return PREFACE + headers + struct.pack(">I", len(data))[1:] + b"\0\x01\0\0\0\x01" + data


def heard(port: int, content: bytes) -> bytes:
    """What a server says to bytes, until it has nothing more to say."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(content)
        connection.settimeout(0.3)
        said = b""
        try:
            while chunk := connection.recv(4096):
                said += chunk
        except TimeoutError:
            pass
        return said


def test_a_message_comes_back_with_what_belongs_to_its_headers(server: Running) -> None:
    message, call = server.channel.unary_unary("/any.Service/Method").with_call(b"hello", timeout=20)
    assert message == b"hello"
    assert ("x-lockgate-version", "7") in [tuple(pair) for pair in call.trailing_metadata()]


@pytest.mark.parametrize("path", [b"/\xff\xfe/x", b"/any.Service/\xff", b"no slash", b"", b"/\x00"])
def test_no_path_ends_the_server(server: Running, path: bytes) -> None:
    for _ in range(3):
        heard(server.port, request(path))
    assert server.send(b"still here") == b"still here"


def test_a_header_that_is_no_text_is_no_reason_to_write_to_the_log(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    said = heard(server.port, request(b"/any.Service/Method", (b"x-user-id", b"\xff\xfe")))
    assert b"grpc-status\x010" in said
    assert server.application.answered == [b""]
    assert not caplog.records


@pytest.mark.parametrize(
    "noise", [b"GET / HTTP/1.1\r\n\r\n", PREFACE[:10], PREFACE + b"\xff" * 200, b"\x16\x03\x01" + b"\0" * 50]
)
def test_what_is_no_grpc_hurts_nobody(server: Running, noise: bytes) -> None:
    heard(server.port, noise)
    assert server.send(b"still here") == b"still here"


def test_a_fault_of_ours_costs_one_answer(server: Running) -> None:
    assert server.send(b"fault") == "INTERNAL"
    assert server.send(b"next") == b"next"


def test_a_fault_in_the_thread_that_takes_calls_costs_one_call(caplog: pytest.LogCaptureFixture) -> None:
    with running(Faulty()) as server:
        assert server.send(b"lost", 0.5) == "DEADLINE_EXCEEDED"
        assert [server.send(bytes([number])) for number in range(40)] == [bytes([number]) for number in range(40)]
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == ["gRPC event failed"]


@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_too_large_is_refused_whether_it_looks_so_or_not(server: Running, compressed: bool) -> None:  # noqa: FBT001
    import grpc

    compression = grpc.Compression.Gzip if compressed else grpc.Compression.NoCompression
    assert server.send(bytes(LIMIT + 1), compression=compression) == "RESOURCE_EXHAUSTED"
    assert len(server.send(bytes(LIMIT), compression=compression)) == LIMIT


def test_large_messages_share_their_room(server: Running) -> None:
    server.application.patient = True
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(server.send, bytes([number]) * (LIMIT - 1), 30.0) for number in range(8)]
        wait_for(lambda: sum(one.done() for one in sent) == 4, "half of them are refused", 30)
        server.application.go_on.set()
        answers = [one.result() for one in sent]
    assert sum(one == "RESOURCE_EXHAUSTED" for one in answers) == 4
    assert server.application.shed == 4
    assert len(server.send(bytes(LIMIT))) == LIMIT, "the room is free again"


def test_a_caller_who_goes_away_is_not_waited_for_and_what_it_asked_is_finished(server: Running) -> None:
    assert server.send(b"later", 0.2) == "DEADLINE_EXCEEDED"
    assert server.application.answered == []
    server.application.go_on.set()
    wait_for(lambda: server.application.answered == [b"later"], "it came to its end")


def test_what_nobody_waits_for_any_more_when_its_turn_comes_is_not_begun(server: Running) -> None:
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(server.in_loop, lambda: time.sleep(1.0))
        time.sleep(0.1)
        assert server.send(b"hello", 0.2) == "DEADLINE_EXCEEDED"
        busy.result()
    assert server.send(b"next") == b"next"
    assert server.application.answered == [b"next"]


def test_a_message_that_does_not_come_is_given_up(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.serving.grpc.server.PATIENCE", 0.3)
    import grpc

    over = threading.Event()

    def nothing() -> Iterator[bytes]:
        over.wait(30)
        yield from ()

    call = server.channel.stream_unary("/any.Service/Method").future(nothing(), timeout=30)
    time.sleep(0.5)
    server.in_loop(server.server.sweep)
    with pytest.raises(grpc.RpcError) as caught:
        call.result(20)
    over.set()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "did not arrive" in caught.value.details()


def test_a_call_without_a_message_is_refused(server: Running) -> None:
    import grpc

    with pytest.raises(grpc.RpcError) as caught:
        server.channel.stream_unary("/any.Service/Method")(iter([]), timeout=20)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_beyond_what_may_be_under_way_calls_are_refused_at_once(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.serving.grpc.server.MOST_UNDER_WAY", 4)
    with ThreadPoolExecutor(10) as pool:
        sent = [pool.submit(server.send, b"later", 30.0) for _ in range(10)]
        wait_for(lambda: sum(one.done() for one in sent) == 6, "the others are refused", 30)
        server.application.go_on.set()
        answers = [one.result() for one in sent]
    assert sorted(map(str, answers)) == ["RESOURCE_EXHAUSTED"] * 6 + ["b'later'"] * 4
    server.in_loop(server.server.sweep)
    assert server.application.shed == 6


def test_calls_that_send_no_message_do_not_shut_others_out() -> None:
    """As many as there are places, over as many connections as that takes."""
    import grpc

    from lockgate.serving.grpc.server import MOST_OF_A_CONNECTION, MOST_UNDER_WAY, SILENCE

    over = threading.Event()

    def nothing() -> Iterator[bytes]:
        over.wait(60)
        yield from ()

    with running(patience=60.0) as server:
        address, own = f"127.0.0.1:{server.port}", [("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.insecure_channel(address, own) for _ in range(MOST_UNDER_WAY // MOST_OF_A_CONNECTION)]
        begin = [one.stream_unary("/any.Service/Method").future for one in channels for _ in range(MOST_OF_A_CONNECTION)]
        silent = [one(nothing(), timeout=60) for one in begin]
        wait_for(lambda: len(server.server._waiting) == MOST_UNDER_WAY, "all places are taken", 60)
        time.sleep(SILENCE)
        began = time.monotonic()
        assert [server.send(bytes([number]), 10.0) for number in range(20)] == [bytes([number]) for number in range(20)]
        took = time.monotonic() - began
        ousted = [one for one in silent if one.done()]
        over.set()
        for one in channels:
            one.close()
    assert took < 5.0
    assert len(ousted) <= 20
    assert {one.code() for one in ousted} == {grpc.StatusCode.RESOURCE_EXHAUSTED}


def test_a_queue_that_is_too_long_is_not_made_longer() -> None:
    with running(patience=-1.0) as server:
        assert server.send(b"hello") == "RESOURCE_EXHAUSTED"
        server.in_loop(server.server.sweep)
        assert server.application.shed == 1


def test_behind_a_closed_door_the_message_of_a_stranger_is_not_read(server: Running) -> None:
    server.application.closed = True
    assert server.send(b"hello") == "UNAUTHENTICATED"
    assert server.application.answered == []
    assert server.send(b"hello", metadata=[("x-api-key", "mine")]) == b"hello"


def test_a_stop_lets_calls_finish_and_takes_no_more(server: Running) -> None:
    with ThreadPoolExecutor(2) as pool:
        under_way = pool.submit(server.send, b"later")
        wait_for(lambda: server.server._tasks, "it is under way")
        stopping = pool.submit(server.stop, 10.0)
        time.sleep(0.2)
        assert not stopping.done()
        assert server.send(b"hello", 5.0) in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
        server.application.go_on.set()
        assert under_way.result() == b"later"
        stopping.result(10)


def test_a_stop_is_bounded(server: Running) -> None:
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(server.send, b"later")
        wait_for(lambda: server.server._tasks, "it is under way")
        began = time.monotonic()
        server.stop(0.3)
        assert time.monotonic() - began < 5.0
        assert not server.server._thread.is_alive()
        assert under_way.result() in ("UNAVAILABLE", "CANCELLED")
    server.application.go_on.set()  # and what comes now finds a server that is gone
    time.sleep(0.1)
