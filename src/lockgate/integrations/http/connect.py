"""A connection to the very address that was checked: the name is asked once, so it cannot lead elsewhere meanwhile."""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_address
from typing import Any

from lockgate.integrations.http.addresses import is_public
from lockgate.integrations.http.target import Target
from lockgate.kernel.errors import Refused, Unavailable

CONNECT = 5.0  # seconds for all of the target's addresses together

_HERE = "localhost"  # by RFC 6761, with all names below it

Resolve = Callable[[str, int], Sequence[str]]


class Deadline:
    """A moment after which nothing is waited for."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds.

        Raises:
            TimeoutError: none is left.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is over")
        return left


class Line:
    """A connected socket, as far as http.client uses one: each wait ends with the whole request's time, however little comes."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(self._deadline.left())
        self._socket.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode  # always "rb"
        return io.BufferedReader(_Incoming(self._socket, self._deadline))

    def close(self) -> None:
        """http.client closes before it reads what was asked to be the last answer; whoever connected closes at the end."""


class _Incoming(io.RawIOBase):
    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(self._deadline.left())
        return self._socket.recv_into(buffer)


def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a name, in the order in which to try them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@contextmanager
def connect(target: Target, deadline: Deadline, resolver: Resolve = resolve) -> Iterator[Line]:
    """Raises:
    Refused: one of its addresses is not public, and the policy does not name it. Unavailable: there is no such name.
    OSError: none answers; its certificate is not for this name.
    """
    addresses = _allowed(target, resolver)
    with _first(addresses, target.port) as connected:
        connected.settimeout(deadline.left())
        if not target.secure:
            yield Line(connected, deadline)
            return
        with _context().wrap_socket(connected, server_hostname=target.host) as wrapped:
            yield Line(wrapped, deadline)


@cache
def _context() -> ssl.SSLContext:
    """The system's authorities ($SSL_CERT_FILE adds others); the name is checked."""
    return ssl.create_default_context()


def _allowed(target: Target, resolver: Resolve) -> Sequence[str]:
    """One address that is not public spoils the name: it might be the one that is taken another time."""
    try:
        addresses = resolver(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"{target.shown}: the name cannot be resolved: {error}") from error
    if not addresses:
        raise Unavailable(f"{target.shown}: the name has no address")
    if not target.named and not all(is_public(ip_address(address)) for address in addresses):
        raise not_public(target)
    return addresses


def not_public(target: Target) -> Refused:
    return Refused(
        f"{target.shown} leads to an address that is not public",
        hint="If notices are to go there, name the host in the policy under `webhooks.targets`.",
    )


def check_literal(target: Target) -> None:
    """Let pass or raise. Nobody is asked for a name here: what leads into this network by itself is refused before it is kept.

    Raises:
        Refused: the host is an address that is not public, or means this machine.
    """
    if target.named:
        return
    try:
        private = not is_public(ip_address(target.host))
    except ValueError:
        private = target.host == _HERE or target.host.endswith(f".{_HERE}")
    if private:
        raise not_public(target)


def _first(addresses: Sequence[str], port: int) -> socket.socket:
    """Connected to the first that answers."""
    share = CONNECT / len(addresses)
    last: OSError = OSError("no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=share)
        except OSError as error:
            last = error
    raise last
