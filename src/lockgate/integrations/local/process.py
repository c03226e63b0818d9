"""A child process in a session of its own, whose lines and whose end come as events in one queue."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

_LAST_LINES = 1.0  # seconds that are waited for them after the process has ended


@dataclass(frozen=True, slots=True)
class Line:
    process: Process
    text: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """returncode: −n if signal n ended it."""

    process: Process
    returncode: int


class Process:
    """Reads: lines of its standard output become `Line` events; then one `Ended`. Writes: `send`. It ends with this process."""

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        log: Path,
        events: SimpleQueue[Line | Ended],
        *,
        environment: Mapping[str, str],
        speaks: bool,
    ) -> None:
        """speaks: its standard output is for us; else it goes to the log, as standard error does.

        Raises:
            OSError: it cannot be started.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            self._popen = subprocess.Popen(
                list(words),
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if speaks else file,
                stderr=file,
                env=dict(environment),
                start_new_session=True,
            )
        reader = threading.Thread(target=self._read, args=(events,), daemon=True, name="lines")
        reader.start()
        threading.Thread(target=self._wait, args=(events, reader), daemon=True, name="end").start()

    def send(self, line: bytes) -> None:
        """One line. To a process that has ended it goes nowhere: its end comes as an event."""
        if self._popen.stdin is not None:
            with suppress(BrokenPipeError):
                self._popen.stdin.write(line + b"\n")
                self._popen.stdin.flush()

    def kill(self) -> None:
        """It, and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill it and wait until it is gone."""
        self.kill()
        self._popen.wait()
        for stream in (self._popen.stdin, self._popen.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _read(self, events: SimpleQueue[Line | Ended]) -> None:
        if self._popen.stdout is not None:
            for line in self._popen.stdout:
                events.put(Line(self, line))

    def _wait(self, events: SimpleQueue[Line | Ended], reader: threading.Thread) -> None:
        returncode = self._popen.wait()
        reader.join(_LAST_LINES)
        events.put(Ended(self, returncode))
