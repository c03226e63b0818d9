"""A token is shown to no proxy, and no server can hold a program for longer than it is patient."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from lockgate.embedded.reporter import Reporter
from lockgate.embedded.sending import Sender, Sent
from lockgate.testing.clock import VirtualClock


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """At a port of its own, one connection after the other."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def loop() -> None:
            with suppress(OSError):
                while True:
                    connected, _ = server.accept()
                    with connected, suppress(OSError):
                        serve(connected)

        thread = threading.Thread(target=loop)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def dripping(connected: socket.socket) -> None:
    """A header that never ends, a byte at a time, for longer than anybody here is patient."""
    connected.sendall(b"HTTP/1.1 204 No Content\r\nx-slow: ")
    until = time.monotonic() + 3.0
    while time.monotonic() < until:
        time.sleep(0.05)
        connected.sendall(b"x")


def test_a_proxy_of_the_environment_does_not_see_a_token_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def proxy(connected: socket.socket) -> None:
        seen.append(connected.recv(65536))
        connected.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with listening(proxy) as port:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        assert Sender("http://127.0.0.1:1", "SECRET")(b"{}", 0.5) is Sent.LATER
        assert Sender("http://lockgate.invalid", "SECRET", plain_http=True)(b"{}", 0.5) is Sent.LATER
    assert seen == []


def test_an_answer_that_never_ends_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with listening(dripping) as port:
        began = time.monotonic()
        assert Sender(f"http://127.0.0.1:{port}", "t")(b"{}", 0.3) is Sent.LATER
        assert time.monotonic() - began < 2.0
    assert "was not taken now" in caplog.text


@pytest.mark.parametrize("begun", [True, False])
def test_a_program_ends_though_nobody_takes_its_last_report(*, begun: bool) -> None:
    asked, release = threading.Event(), threading.Event()

    def send(_body: bytes, _patience: float) -> Sent:
        asked.set()
        release.wait(10.0)
        return Sent.LATER

    one = Reporter("https://x.example", "t", "m", every=3600.0, standing=lambda: {"n": 1}, clock=VirtualClock(), send=send)
    if begun:
        one.begin()
        assert asked.wait(5.0)
    began = time.monotonic()
    one.close(0.2)
    assert time.monotonic() - began < 2.0
    assert asked.is_set()
    release.set()


def test_what_nobody_takes_is_tried_again_after_a_pause_also_at_the_beginning() -> None:
    tries: list[float] = []

    def send(_body: bytes, _patience: float) -> Sent:
        tries.append(time.monotonic())
        return Sent.LATER

    one = Reporter("https://x.example", "t", "m", every=0.2, standing=lambda: {"n": 1}, clock=VirtualClock(), send=send)
    one.begin()
    time.sleep(0.3)
    assert len(tries) <= 2
    one.close()


def test_who_predicted_nothing_leaves_without_a_word_at_its_programs_end() -> None:
    sent: list[bytes] = []

    def send(body: bytes, _patience: float) -> Sent:
        sent.append(body)
        return Sent.TAKEN

    one = Reporter("https://x.example", "t", "m", standing=lambda: {"n": 1}, send=send)
    one._end()
    assert sent == []
    one.close()
    assert len(sent) == 1
