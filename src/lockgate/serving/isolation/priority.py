"""Loading gives way to answering: at a lower priority, if the system lets us take that back afterwards."""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SYS_NICE = 23  # the number of the capability
_NEUTRAL = 20  # RLIMIT_NICE is 20 minus the niceness that a process may go back to


def be_nice(level: int) -> None:
    """This process runs at that niceness for good, also beside processes of other sessions.

    Where Linux groups processes by session (autogroup), niceness tells only within a session, and a host has one of its own: the
    group has a niceness too.
    """
    os.nice(level)
    group = Path("/proc/self/autogroup")
    if level and group.exists():
        with suppress(OSError):  # not ours to set in some containers: then the process has no more than its own niceness
            group.write_text(str(level))


@contextmanager
def giving_way(steps: int) -> Iterator[None]:
    """This thread, and what threads it starts meanwhile, run at a priority lower by so many steps; then at that of before.

    Where there is no way back (no such capability, no such limit, not Linux), nothing changes: a model that answers slowly for
    good would be worse than one that loads quickly.
    """
    me = threading.get_native_id()
    level = os.getpriority(os.PRIO_PROCESS, me) if sys.platform == "linux" else 0
    if sys.platform != "linux" or not _may_return_to(level):
        yield
        return
    os.setpriority(os.PRIO_PROCESS, me, level + steps)
    try:
        yield
    finally:
        for task in Path("/proc/self/task").iterdir():
            _set(int(task.name), level)


def _may_return_to(level: int) -> bool:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NICE)
    return allowed == resource.RLIM_INFINITY or _NEUTRAL - allowed <= level or _has_capability()


def _has_capability() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _SYS_NICE & 1)
    return False


def _set(task: int, level: int) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, task, level)
    except ProcessLookupError:
        return  # a thread that has ended meanwhile
