"""What goes wrong many times a second is told in the log when its reason is a new one, and then once a minute with how often."""

from __future__ import annotations

import logging

from lockgate.kernel.clock import Clock

_EVERY = 60.0  # seconds

log = logging.getLogger(__name__)


class Complaints:
    """Used by one thread. event: what the log calls it."""

    def __init__(self, event: str, clock: Clock) -> None:
        self._event = event
        self._clock = clock
        self._told: dict[str, float] = {}  # by reason: when it was told last
        self._times = self._dropped = 0  # since anything was told

    def add(self, error: OSError, dropped: int) -> None:
        """dropped: what was lost by it. The reason is the system's word for it, without the file's name: that may be a new one
        each time.
        """
        reason, now = error.strerror or str(error), self._clock.monotonic()
        self._times += 1
        self._dropped += dropped
        if now - self._told.get(reason, -_EVERY) < _EVERY:
            return
        self._told[reason] = now
        log.warning(self._event, extra={"reason": reason, "file": error.filename, "times": self._times, "dropped": self._dropped})
        self._times = self._dropped = 0
