"""A filter of system calls for processes that load packages: no network, no other process, no way around either.

The filter is a program of the kernel's own small machine (seccomp-BPF). It needs no right but the one that every process has, to
give rights up for good; every process that is started from here has it too. Known to be needed beside `socket` are the calls that
do the same in another way: `io_uring` opens sockets, `process_vm_writev` and `pidfd_getfd` borrow those of another process.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import NamedTuple

_NO_NEW_PRIVILEGES = 38
_FILTER, _ALL_THREADS = 1, 1
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24  # offsets in what the filter is given; of 64-bit values the low half
_THREAD = 0x00010000  # of clone: no new process
_NAMESPACES = 0x7E020000  # of clone: in one of their own, processes have rights that this one gave up
_STREAM, _KIND = 1, 0xF  # of socketpair: what cannot be connected elsewhere
_OTHER_TABLE = 0x40000000  # x86-64 has a second table of calls from here on

# Numbers on x86-64 and on AArch64; None: it has no such call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "open_by_handle_at": (304, 265), "bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104), "reboot": (169, 142),
}  # fmt: skip
_CLONE, _CLONE3 = (56, 220), 435
_FORKS = ((57, None), (58, None))  # fork, vfork
_SOCKETPAIR = (53, 199)
_KILLS = ((62, 129), (200, 130), (234, 131))  # kill, tkill, tgkill
_SECCOMP = (317, 277)
_TABLES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


class _Step(NamedTuple):
    code: int
    value: int
    then: int = 0
    otherwise: int = 0

    def packed(self) -> bytes:
        return struct.pack("<HBBI", self.code, self.then, self.otherwise, self.value)


def refuse_calls(*, processes: bool) -> str | None:
    """From now on, for all threads. processes: whether it may start some. Returns why it could not be done; None if it was."""
    table = _TABLES.get(platform.machine())
    if os.uname().sysname != "Linux" or table is None:
        return f"there is no filter of system calls for {platform.system()} on {platform.machine()}"
    content = b"".join(step.packed() for step in _steps(table[0], table[1], processes=processes))
    libc = ctypes.CDLL(None, use_errno=True)
    program = _Program(len(content) // 8, content)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return f"the system takes no filter of system calls: {os.strerror(ctypes.get_errno())}"
    if libc.syscall(_SECCOMP[table[0]], _FILTER, _ALL_THREADS, ctypes.byref(program)) != 0:
        return f"the system takes no filter of system calls: {os.strerror(ctypes.get_errno())}"
    return None


def _steps(column: int, architecture: int, *, processes: bool) -> list[_Step]:
    """Architecture first: the same number means another call elsewhere."""
    refused, unknown = _Step(_RETURN, _ERRNO | errno.EPERM), _Step(_RETURN, _ERRNO | errno.ENOSYS)
    steps = [_Step(_LOAD, _ARCHITECTURE), _Step(_EQUAL, architecture, 1), _Step(_RETURN, _KILL), _Step(_LOAD, _NUMBER)]
    steps += [_Step(_AT_LEAST, _OTHER_TABLE, 0, 1), refused]
    for numbers in _REFUSED.values():
        steps += _when(numbers[column], [refused])
    steps += _when(_SOCKETPAIR[column], [_Step(_LOAD, _SECOND), *_unless_stream(refused)])
    # The flags of clone3 lie in memory, where no filter can look; the C library falls back to clone.
    steps += _when(_CLONE3, [unknown])
    flags = [_Step(_LOAD, _FIRST), _Step(_HAS_BITS, _NAMESPACES, 0, 1), refused]
    allowed = [_Step(_RETURN, _ALLOW)] if processes else [_Step(_HAS_BITS, _THREAD, 0, 1), _Step(_RETURN, _ALLOW), refused]
    steps += _when(_CLONE[column], [*flags, *allowed])
    if not processes:
        for fork in _FORKS:
            steps += _when(fork[column], [refused])
        for number in _KILLS:
            steps += _when(number[column], [_Step(_LOAD, _FIRST), *_own_only(refused)])
    return [*steps, _Step(_RETURN, _ALLOW)]


def _when(number: int | None, steps: list[_Step]) -> list[_Step]:
    """The steps for one call; each list of them ends with a return."""
    return [] if number is None else [_Step(_EQUAL, number, 0, len(steps)), *steps]


def _unless_stream(refused: _Step) -> list[_Step]:
    """A pair of streams talks to itself; datagrams could be sent to anybody."""
    return [_Step(0x54, _KIND), _Step(_EQUAL, _STREAM, 0, 1), _Step(_RETURN, _ALLOW), refused]


def _own_only(refused: _Step) -> list[_Step]:
    """Signals to this process, its threads (by its own number) and its own group (0) are its own business."""
    allow = _Step(_RETURN, _ALLOW)
    return [_Step(_EQUAL, os.getpid(), 0, 1), allow, _Step(_EQUAL, 0, 0, 1), allow, refused]
