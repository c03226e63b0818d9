"""Unix sockets by their path, also where the path is longer than the 108 bytes that an address has room for."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lockgate.kernel.errors import Invalid

_LONGEST = 100  # bytes that fit into an address everywhere
_BACKLOG = 128


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`; what lay there before is removed. Only this user may connect.

    Raises:
        Invalid: the path is too long for this system. OSError: the folder cannot be written.
    """
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            sock.bind(address)
        path.chmod(0o600)
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)  # noqa: FBT003 - the socket's own way
    return sock


def connect(path: Path) -> socket.socket:
    """A connected socket that does not block.

    Raises:
        OSError: nobody listens there, or too many wait already. Invalid: the path is too long for this system.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)  # noqa: FBT003 - the socket's own way
    try:
        with _address(path) as address:
            sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


@contextmanager
def _address(path: Path) -> Iterator[str]:
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    if sys.platform != "linux":
        raise Invalid(f"the socket's path has {len(str(path))} characters: {path}", hint="Choose a folder with a shorter path.")
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
