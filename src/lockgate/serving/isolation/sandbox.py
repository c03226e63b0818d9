"""What is taken from a process before it loads a package: the network, other processes, others' files, amounts without bound.

Each fence is the system's own and needs no privilege. All are put up while there is one thread, and none can be taken down again.
What a system does not have is said, never passed over: see `confine`.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lockgate.kernel.release import PACKAGE
from lockgate.serving.isolation.landlock import restrict_files
from lockgate.serving.isolation.syscalls import refuse_calls

_LARGEST_FILE = 4 << 30  # bytes
_MOST_FILES = 1024
_MOST_PROCESSES = 512  # of this user, more than there are now; the system does not count for root
_CAPABILITIES = 0x20080522  # the layout of what capset takes
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/opt", "/sys", "/dev/urandom", "/dev/random", "/dev/zero")
_PROC = ("cpuinfo", "meminfo", "stat", "version", "loadavg", "filesystems", "sys/vm", "sys/kernel")
_ETC = ("ld.so.cache", "localtime", "timezone", "passwd", "group", "nsswitch.conf", "ssl", "OpenCL", "alternatives")
_WRITABLE = ("/dev/null", "/dev/full", "/dev/shm")  # noqa: S108 - shared memory, as libraries use it
_DEVICES = ("nvidia*", "kfd", "dri")


class Fences(NamedTuple):
    """artifacts: readable. own: the folder that it may write in, and where it works. shared: more that it may write in. hidden:
    folders that it may not read, also where they lie among its libraries.

    processes: whether it may start some. seconds: of the processor's time, all threads together; None: no limit. packages:
    folders that artifacts are links into, readable as they are.
    """

    artifacts: Path
    own: Path
    shared: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    processes: bool = False
    seconds: float | None = None
    packages: tuple[Path, ...] = ()


def confine(fences: Fences) -> list[str]:
    """Put up every fence that the system has; for all threads to come. Returns what could not be had, in words."""
    _work_in(fences.own)
    _bound(fences)
    hidden = [folder.resolve() for folder in fences.hidden]
    libraries = _libraries()
    readable = [fences.artifacts, *fences.packages, *_apart_from(hidden, libraries)]
    # An import looks through the names of a folder; those of one that holds something hidden may be seen, and no more.
    listed = [folder for folder in libraries if folder.is_dir() and _holds(folder, hidden)]
    missing = [_drop_capabilities(), restrict_files(readable, _writable(fences), listed)]
    missing.append(refuse_calls(processes=fences.processes))
    return [reason for reason in missing if reason is not None]


def _work_in(folder: Path) -> None:
    """What looks for a place to write finds this one."""
    os.chdir(folder)
    os.environ.update({name: str(folder) for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME")})
    tempfile.tempdir = None


def _bound(fences: Fences) -> None:
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: _LARGEST_FILE, resource.RLIMIT_NOFILE: _MOST_FILES}
    if fences.processes:
        limits[resource.RLIMIT_NPROC] = _processes_now() + _MOST_PROCESSES
    if fences.seconds is not None:
        limits[resource.RLIMIT_CPU] = max(1, round(fences.seconds))
    for limit, most in limits.items():
        _, hard = resource.getrlimit(limit)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (least, least))


def _processes_now() -> int:
    """Threads of all processes of this user, which is what the limit counts."""
    mine, count = os.getuid(), 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            count += len(list((process / "task").iterdir())) if process.stat().st_uid == mine else 0
        except OSError:
            continue  # it has ended
    return count


def _drop_capabilities() -> str | None:
    """A server that runs as root does not run models with root's rights."""
    if sys.platform != "linux":
        return f"{sys.platform} has no capabilities to give up"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(struct.pack("<Ii", _CAPABILITIES, 0), bytes(24)) != 0:
        return f"capabilities cannot be given up: {os.strerror(ctypes.get_errno())}"
    return None


def _libraries() -> set[Path]:
    """What code is read from, and the few facts about the system that it asks for."""
    system = {Path(place) for place in (*_SYSTEM, *(f"/etc/{name}" for name in _ETC), *(f"/proc/{name}" for name in _PROC))}
    places = (sys.prefix, sys.base_prefix, *sys.path, *os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    return system | {Path(place).resolve() for place in places if place} | {PACKAGE}


def _holds(folder: Path, hidden: Sequence[Path]) -> bool:
    return any(one.is_relative_to(folder) for one in hidden)


def _apart_from(hidden: Sequence[Path], folders: Iterable[Path]) -> Iterator[Path]:
    """The folders, without what is hidden in one of them: with the packages lie secrets and the state."""
    for folder in folders:
        if folder in hidden:
            continue
        if _holds(folder, hidden):
            yield from _apart_from(hidden, _children(folder))
        else:
            yield folder


def _children(folder: Path) -> list[Path]:
    """Links lead elsewhere, where they are looked at for themselves."""
    try:
        return [one for one in folder.iterdir() if not one.is_symlink()]
    except OSError:
        return []


def _writable(fences: Fences) -> Iterator[Path]:
    yield from (fences.own, *fences.shared, Path(f"/proc/{os.getpid()}"), *map(Path, _WRITABLE))
    for pattern in _DEVICES:
        yield from Path("/dev").glob(pattern)
