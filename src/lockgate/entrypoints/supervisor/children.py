"""A child process that is restarted when it dies, with a growing pause and a bound."""

from __future__ import annotations

import logging
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FIRST_PAUSE = 0.1  # seconds
LONGEST_PAUSE = 2.0
SHORT_LIFE = 2.0  # seconds: whoever dies sooner did not get to work
MOST_SHORT_LIVES = 15  # in a row: then something is wrong that a restart does not mend

log = logging.getLogger(__name__)


@dataclass
class Child:
    """`argv` must end by itself when its standard input ends: so nothing outlives a supervisor that was killed.

    environment: None: ours.
    """

    name: str
    argv: Sequence[str]
    log_file: Path
    environment: Mapping[str, str] | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    short_lives: int = 0  # in a row
    given_up: bool = False

    def start(self, now: float) -> None:
        self.started_at = now
        with self.log_file.open("ab") as output:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=None if self.environment is None else dict(self.environment),
                start_new_session=True,
            )
        log.info("started", extra={"child": self.name, "pid": self.process.pid})

    def keep_running(self, now: float) -> bool:
        """Restart it if it died and its pause is over; True if it was started. `now` is monotonic.

        One that dies at once again and again is given up, and the others go on: a dead controller stops no answer.
        """
        if self.process is not None and self.process.poll() is not None:
            self._note_death(now)
        if self.process is None and not self.given_up and now >= self.restart_at:
            self.start(now)
            return True
        return False

    def _note_death(self, now: float) -> None:
        assert self.process is not None  # noqa: S101 - the caller looked
        log.warning("died", extra={"child": self.name, "code": self.process.returncode})
        if self.process.stdin:
            self.process.stdin.close()
        self.process = None
        self.short_lives = self.short_lives + 1 if now - self.started_at < SHORT_LIFE else 0
        self.restart_at = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2**self.short_lives)
        if self.short_lives >= MOST_SHORT_LIVES:
            self.given_up = True
            log.error("given up", extra={"child": self.name, "died_at_once": self.short_lives, "why": str(self.log_file)})

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
