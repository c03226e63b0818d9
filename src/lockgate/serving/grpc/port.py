"""The port that gRPC listens on: whether it may, and whose it is. Imports nothing that is optional.

Workers come and go, and each binds the port for itself. So that nobody else takes it in between, and no second data plane shares
it unseen, whoever started them holds it all the time with a socket that listens to nobody.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Protocol

from lockgate.boundary.exposure import Tls
from lockgate.kernel.errors import Conflict, Invalid, MissingExtra, Unavailable

_PATIENCE = 3.0  # seconds: workers of a supervisor that was killed may still hold the port while they finish
_PAUSE = 0.1

log = logging.getLogger(__name__)


class Listening(Protocol):
    """A server that speaks gRPC, for who must not import one."""

    @property
    def delay(self) -> float: ...
    def start(self) -> None: ...
    def sweep(self) -> None: ...
    async def stop(self, patience: float) -> None: ...


def check(tls: Tls | None) -> None:
    """Raises:
    MissingExtra: a library is not installed. Invalid: TLS is asked for in a way that the library cannot hold to.
    """
    missing = [name for name in ("grpc", "google.protobuf") if not _is_there(name)]
    if missing:
        raise MissingExtra(f"gRPC needs {' and '.join(missing)}", hint="Install it: pip install 'lockgate[grpc]'")
    if tls is not None and tls.minimum != "1.2":
        raise Invalid(
            f"gRPC here speaks TLS 1.2 and 1.3, and cannot be told to speak {tls.minimum} only",
            hint="Leave --tls-min out, or --grpc-port.",
        )


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the package that it should be in is not there either
        return False


@contextmanager
def reserved(host: str, port: int) -> Iterator[int]:
    """Hold the port, and say its number. port: 0 takes a free one.

    Raises:
        Conflict: it is taken. Invalid: there is no such address here. Unavailable: the system refuses.
    """
    with socket.socket(_family(host), socket.SOCK_STREAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(holder, host, port)
        # Only now that it is bound: whoever is there already has been in the way, and whoever shares addresses only is kept out.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        number: int = holder.getsockname()[1]
        log.info("grpc listening", extra={"host": host, "port": number})
        yield number


def address_of(host: str, port: int) -> str:
    """The address as gRPC takes it, of numbers only: it would listen on all addresses of a name."""
    address = socket.getaddrinfo(host, port, family=_family(host), type=socket.SOCK_STREAM)[0][4][0]
    return f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bind(holder: socket.socket, host: str, port: int) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            holder.bind((host, port))
        except socket.gaierror as error:
            raise Invalid(f"host {host!r} is no address: {error.strerror}") from error
        except PermissionError as error:
            raise Unavailable(f"gRPC cannot listen on {host}:{port}: {error.strerror}") from error
        except OSError as error:
            if time.monotonic() > until:
                hint = "Stop what listens there, or choose another port with --grpc-port."
                raise Conflict(f"port {port} on {host} cannot be taken for gRPC: {error.strerror}", hint=hint) from error
        else:
            return
        time.sleep(_PAUSE)
