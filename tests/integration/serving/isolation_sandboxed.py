"""Packages that try, while they are loaded, what a stranger's code would; each tells what became of it in its scores."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lockgate.boundary.manifest import Manifest
from lockgate.boundary.trusted_types import told
from lockgate.runtimes.model import Array
from lockgate.runtimes.package import Files

_IO_URING_SETUP = 425
_SECRET = ("user:password", "PIP_", "AWS_")


def _io_uring() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_IO_URING_SETUP, 8, bytes(120)) < 0:
        raise OSError(ctypes.get_errno(), "io_uring")


def _connect(port: str) -> None:
    """With a socket that was opened before: a pair of streams, which is all that there is."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.connect("\0elsewhere")
    socket.create_connection(("127.0.0.1", int(port)))


def _environment() -> None:
    seen = Path("/proc/self/environ").read_text() + str(os.environ)
    assert not any(word in seen for word in _SECRET), seen


def _descriptors() -> None:
    """Sockets and pipes of its own, its package, and no other file."""
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:
            continue
        known = target.startswith(("pipe:", "socket:", "anon_inode:", "/dev/null", "/proc/")) or "/artifacts/" in target
        assert known or link.name in ("1", "2"), target


def _memory() -> None:
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    bytearray(free)  # not touched, not had: the bound is on what could be written


def _capabilities() -> None:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    assert int(lines["CapEff"], 16) == int(lines["CapPrm"], 16) == 0
    assert lines["NoNewPrivs"].strip() == "1"


def _trusted() -> None:
    assert told(os.environ).types == ("company.models.Encoder",)


def _fork() -> None:
    for _ in range(1000):
        if os.fork() == 0:
            os._exit(0)


def _work() -> None:
    Path("scratch").write_text("mine")
    assert Path.cwd().name.startswith("own-")


DEEDS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "inet": lambda _: socket.socket(socket.AF_INET).close(),
    "inet6": lambda _: socket.socket(socket.AF_INET6).close(),
    "unix": lambda _: socket.socket(socket.AF_UNIX).close(),
    "netlink": lambda _: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "datagrams": lambda _: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].close(),
    "connect": lambda options: _connect(options["port"]),
    "io_uring": lambda _: _io_uring(),
    "parent": lambda _: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "read": lambda options: Path(options["place"]).read_bytes(),
    "write": lambda options: Path(options["place"]).write_text("mine"),
    "work": lambda _: _work(),
    "environment": lambda _: _environment(),
    "descriptors": lambda _: _descriptors(),
    "fork": lambda _: _fork(),
    "spawn": lambda _: subprocess.run(["/bin/true"], check=True),
    "signal": lambda _: os.kill(os.getppid(), 0),
    "memory": lambda _: _memory(),
    "trusted": lambda _: _trusted(),
    "capabilities": lambda _: _capabilities(),
}


def _tried(options: Mapping[str, Any]) -> str:
    try:
        DEEDS[options["deed"]](options)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except (AssertionError, MemoryError) as error:
        return f"{type(error).__name__} {error}".strip()
    return "ok"


class Teller:
    """Doubles, as other models of the tests do; asked for many rows, it tells what became of its deed, in letters."""

    def __init__(self, said: str) -> None:
        self._said = said

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        rows = len(feeds["x"])
        if rows < 100:
            return [2.0 * feeds["x"] + 2.0]
        letters = [float(ord(letter)) for letter in self._said[:rows]]
        return [np.array(letters + [0.0] * (rows - len(letters))).reshape(-1, 1)]


def load(manifest: Manifest, files: Files) -> Teller:
    assert files
    return Teller(_tried(manifest.options) if "deed" in manifest.options else "")
