"""Start a server, wait until it answers, weigh it, and leave nothing of it behind.

Servers start processes of their own. Some are detached (Ray); they inherit a mark in their environment. Some have another
environment (Lockgate's isolated models), but a parent. By these they are found: to be weighed, and to be ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving.environments import Absent
from benchmarks.serving.machine import pinned

_MARK = "LOCKGATE_BENCHMARK"
_PATIENCE = 10.0  # seconds from SIGTERM to SIGKILL


class Server:
    """A started command with all its descendants."""

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path, log: Path, core: int | None) -> None:
        self._mark = f"{_MARK}={uuid.uuid4().hex}".encode()
        self._log = log
        name, _, value = self._mark.decode().partition("=")
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                pinned(command, core),
                cwd=folder,
                env=os.environ | environment | {name: value},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def members(self) -> list[int]:
        """Every living process that carries the mark, and what those started."""
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        found = {pid for pid in pids if self._mark in _environment(pid)}
        parents = {pid: _parent(pid) for pid in pids}
        while more := {pid for pid in pids if parents[pid] in found} - found:
            found |= more
        return sorted(found)

    def memory(self) -> int:
        """Bytes: resident pages of all its processes, each shared page once (proportional set size)."""
        return sum(_proportional(pid) for pid in self.members())

    def processor_time(self) -> float:
        """Seconds that all its living processes have computed so far: what an answer costs, however busy the machine is."""
        return sum(_computed(pid) for pid in self.members())

    def wait(self, answers: Callable[[], bool], seconds: float) -> None:
        """Return as soon as it answers.

        Raises:
            Absent: it ended, or did not answer in time; with the last lines that it wrote.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise Absent(f"it ended with code {self._process.returncode}: {self._last_lines()}")
            with contextlib.suppress(OSError):
                if answers():
                    return
            time.sleep(0.1)
        raise Absent(f"no right answer within {seconds:g} s: {self._last_lines()}")

    def stop(self) -> None:
        """SIGTERM to the command, and SIGKILL to whatever is left of it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)
        while left := self.members():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        self._process.wait()

    def _last_lines(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:])[-500:] or "it wrote nothing"


@contextmanager
def running(
    command: list[str], *, folder: Path, log: Path, core: int | None, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    server = Server(command, environment or {}, folder, log, core)
    try:
        yield server
    finally:
        server.stop()


def _environment(pid: int) -> list[bytes]:
    """Of a process that is gone, or that is only waiting to be buried: nothing."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _computed(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _stat(pid: int) -> list[str]:
    """What stands behind the name: state, parent, …"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)
