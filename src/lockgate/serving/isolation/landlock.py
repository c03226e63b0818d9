"""Which files a process that loads packages may see: its libraries, its artifacts, and a folder of its own to write in.

Landlock is the kernel's way for a process to give up rights on files for good; it needs no privilege (Linux 5.13). A process that
is so confined cannot look into one that is not (`/proc/PID/environ`, `ptrace`), and from Linux 6.12 on cannot signal it.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers everywhere
_VERSION, _BENEATH = 1, 1
_NO_NEW_PRIVILEGES = 38
_EXECUTE, _WRITE, _READ, _LIST, _REFER, _TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 13, 1 << 14
_FIRST_RIGHTS = (1 << 13) - 1  # those of the first version
_NETWORK, _SCOPES = 3, 3  # TCP: bind, connect; abstract sockets and signals of others
_REFER_SINCE, _TRUNCATE_SINCE, _NETWORK_SINCE, _SCOPES_SINCE = 2, 3, 4, 6
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE


def restrict_files(readable: Iterable[Path], writable: Iterable[Path], listed: Iterable[Path] = ()) -> str | None:
    """This thread, and what it starts from now on. What is not there is passed over. listed: folders whose names may be seen.

    Returns why it could not be done; None if it was.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE, None, 0, _VERSION)
    if os.uname().sysname != "Linux" or version < 1:
        return "the system has no Landlock (Linux 5.13, and among its security modules)"
    handled = _handled(version)
    rules = _ruleset(libc, version, handled)
    try:
        for path in readable:
            _allow(libc, rules, path, _EXECUTE | _READ | _LIST)
        for path in listed:
            _allow(libc, rules, path, _LIST)
        for path in writable:
            _allow(libc, rules, path, handled)
        if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0 or libc.syscall(_RESTRICT, rules, 0) != 0:
            return f"the system refuses Landlock: {os.strerror(ctypes.get_errno())}"
    finally:
        os.close(rules)
    return None


def _handled(version: int) -> int:
    more = _REFER if version >= _REFER_SINCE else 0
    return _FIRST_RIGHTS | more | (_TRUNCATE if version >= _TRUNCATE_SINCE else 0)


def _ruleset(libc: ctypes.CDLL, version: int, handled: int) -> int:
    """A descriptor. What a version does not know yet is left out of what it is given."""
    attributes = struct.pack("<Q", handled)
    if version >= _NETWORK_SINCE:
        attributes += struct.pack("<Q", _NETWORK)
    if version >= _SCOPES_SINCE:
        attributes += struct.pack("<Q", _SCOPES)
    rules: int = libc.syscall(_CREATE, attributes, len(attributes), 0)
    if rules < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return rules


def _allow(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not here
    try:
        rule = struct.pack("<Qi", rights if path.is_dir() else rights & _OF_FILES, place)
        if libc.syscall(_ADD, rules, _BENEATH, rule, 0) != 0:
            raise OSError(ctypes.get_errno(), f"Landlock: {path}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(place)
