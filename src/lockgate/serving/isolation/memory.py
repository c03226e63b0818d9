"""How much memory this process has, and how much it may take. In bytes; 0 or None where the system does not say."""

from __future__ import annotations

import resource
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")
_SHARE = 0.8  # of what is free: what a model on trial may take before it is stopped
_RESET_PEAK = "5"


def resident() -> int:
    """Pages in memory, those of mapped files included."""
    return _status("VmRSS")


def own() -> int:
    """Pages in memory that no file stands behind: what this process costs beside what others map too."""
    return _status("RssAnon")


def peak() -> int:
    """The most that was resident, since `forget_peak`."""
    return _status("VmHWM")


def forget_peak() -> None:
    """So that `peak` tells of what comes now; where the system refuses, it tells of the whole life."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return


def limit(more: int) -> None:
    """Let this process take at most so many bytes of data beyond what it has; then allocating raises MemoryError.

    What counts is what could be written, touched or not: libraries, threads' stacks and arenas too.
    """
    most = _status("VmData") + more
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def scarce(share: float = 0.9) -> bool:
    """Whether more than this share of the limit is used: what the process has will not come back."""
    most, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return most != resource.RLIM_INFINITY and _status("VmData") > share * most


def allowance() -> int | None:
    """What a model on trial may take without anybody else running short: a share of what is free."""
    free = [amount for amount in (_free_here(), _free_in_group()) if amount is not None]
    return int(_SHARE * min(free)) if free else None


def be_first_to_go() -> None:
    """If the system runs out of memory, let it end this process and not the one that answers."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        return


def _status(field: str) -> int:
    try:
        for line in _STATUS.read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return int(value.split()[0]) * 1024
    except OSError:
        return 0
    return 0


def _free_here() -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return None


def _free_in_group() -> int | None:
    try:
        most = (_GROUP / "memory.max").read_text().strip()
        used = int((_GROUP / "memory.current").read_text())
    except OSError:
        return None
    return max(0, int(most) - used) if most.isdigit() else None


def human(amount: float) -> str:
    """1536 MB is `1.5 GB`."""
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20)):
        if amount >= size:
            return f"{amount / size:.3g} {unit}"
    return f"{amount / 1024:.0f} kB"
