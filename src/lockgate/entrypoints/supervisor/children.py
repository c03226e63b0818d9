"""A child process that is restarted when it dies, with a growing pause and a bound."""

from __future__ import annotations

import logging
import signal
import subprocess
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lockgate.kernel.errors import Unavailable

FIRST_PAUSE = 0.1  # seconds
LONGEST_PAUSE = 2.0
MOST_DEATHS = 30  # within a minute: then something is wrong that a restart does not mend
MINUTE = 60.0

log = logging.getLogger(__name__)


@dataclass
class Child:
    """`argv` must end by itself when its standard input ends: so nothing outlives a supervisor that was killed."""

    name: str
    argv: Sequence[str]
    log_file: Path
    process: subprocess.Popen[bytes] | None = None
    deaths: deque[float] = field(default_factory=deque)
    restart_at: float = 0.0

    def start(self) -> None:
        with self.log_file.open("ab") as output:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
            )
        log.info("started", extra={"child": self.name, "pid": self.process.pid})

    def keep_running(self, now: float) -> bool:
        """Restart it if it died and its pause is over; True if it was started. `now` is monotonic.

        Raises:
            Unavailable: it dies again and again.
        """
        if self.process is not None and self.process.poll() is not None:
            self._note_death(now)
        if self.process is None and now >= self.restart_at:
            self.start()
            return True
        return False

    def _note_death(self, now: float) -> None:
        assert self.process is not None  # noqa: S101 - the caller looked
        log.warning("died", extra={"child": self.name, "code": self.process.returncode})
        if self.process.stdin:
            self.process.stdin.close()
        self.process = None
        self.deaths.append(now)
        while now - self.deaths[0] > MINUTE:
            self.deaths.popleft()
        if len(self.deaths) >= MOST_DEATHS:
            raise Unavailable(
                f"the {self.name} died {len(self.deaths)} times within a minute", hint=f"Read why in {self.log_file}"
            )
        self.restart_at = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (len(self.deaths) - 1))

    def stop(self, patience: float) -> None:
        """Ask it to end, wait, then make it end."""
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            log.warning("killed", extra={"child": self.name, "after_seconds": patience})
            process.kill()
            process.wait()
