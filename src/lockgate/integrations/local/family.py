"""A process with all that it started, as Linux tells of them under /proc."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

_PROC = Path("/proc")
_KIB = 1024


def memory_of(pid: int) -> int | None:
    """Bytes of a process and its descendants together, each shared page divided among those who share it (PSS).

    None where the system does not tell.
    """
    if not (_PROC / "self" / "smaps_rollup").exists():
        return None
    return sum(_pss(one) for one in (pid, *descendants(pid)))


def descendants(pid: int) -> list[int]:
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            children[parent].append(int(entry.name))
    found, left = [], children[pid].copy()
    while left:
        one = left.pop()
        found.append(one)
        left += children[one]
    return found


def _parent(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):  # it ended meanwhile
        return None


def _pss(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * _KIB for line in lines if line.startswith("Pss:")), 0)
