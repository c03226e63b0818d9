"""The port that gRPC listens on: who may have it, and when there can be none."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from lockgate.boundary.exposure import Tls
from lockgate.kernel.errors import Conflict, Invalid, MissingExtra
from lockgate.serving.grpc import port as ports
from lockgate.serving.grpc.port import address_of, check, reserved


def listener(port: int) -> socket.socket:
    """As a worker's: it shares its port with those who say so too."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind(("127.0.0.1", port))
    one.listen()
    return one


def test_workers_share_the_port_and_nobody_else_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_PATIENCE", 0.0)
    with reserved("127.0.0.1", 0) as port:
        with listener(port), listener(port), socket.create_connection(("127.0.0.1", port)):
            pass
        with pytest.raises(Conflict, match=str(port)) as caught, reserved("127.0.0.1", port):
            pass
        assert "--grpc-port" in str(caught.value.hint)
    with reserved("127.0.0.1", port) as again:
        assert again == port


def test_a_port_on_which_somebody_listens_is_taken_even_if_they_would_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_PATIENCE", 0.0)
    with listener(0) as other, pytest.raises(Conflict), reserved("127.0.0.1", other.getsockname()[1]):
        pass


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(Invalid, match="no address"), reserved("no.such.host.invalid", 0):
        pass


@pytest.mark.parametrize(("host", "expected"), [("localhost", "127.0.0.1:7"), ("127.0.0.1", "127.0.0.1:7"), ("::1", "[::1]:7")])
def test_addresses_are_numbers(host: str, expected: str) -> None:
    assert address_of(host, 7) == expected


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(MissingExtra, match=r"grpc and google\.protobuf") as caught:
        check(None)
    assert caught.value.hint == "Install it: pip install 'lockgate[grpc]'"


def test_a_least_tls_that_cannot_be_held_to_is_refused() -> None:
    pair = Path("server.pem"), Path("server.key")
    check(Tls(*pair))
    with pytest.raises(Invalid, match=r"1\.3"):
        check(Tls(*pair, minimum="1.3"))
