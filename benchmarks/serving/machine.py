"""The machine: which core serves and which one sends, and what a reader must know of it to compare figures."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
from pathlib import Path
from typing import NamedTuple


class Cores(NamedTuple):
    """One core for the server, another for the load and everything else; None where there is no choice."""

    server: int | None
    load: int | None


def cores() -> Cores:
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(usable) < 2 or shutil.which("taskset") is None:
        return Cores(None, None)
    return Cores(usable[0], usable[1])


def pinned(argv: list[str], core: int | None) -> list[str]:
    """The command with its process, and all that it starts, held on one core."""
    return argv if core is None else ["taskset", "--cpu-list", str(core), *argv]


def busy(core: int) -> float:
    """Seconds that the core has worked since the machine started, whoever it worked for (Linux)."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    user, nice, system, _idle, _waiting, *interrupts = map(int, line.split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def description() -> dict[str, object]:
    used = cores()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "pinned": used.server is not None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "wrk": _wrk(),
        "load_before": [round(one, 2) for one in os.getloadavg()],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _wrk() -> str:
    said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout.split()
    return said[1] if len(said) > 1 else "unknown"
