"""When the control plane was last heard: a worker that lost it for long must not go on with an unwatched canary."""

from __future__ import annotations

from lockgate.kernel.clock import Clock


class Contact:
    def __init__(self, clock: Clock, patience: float) -> None:
        self._clock = clock
        self._patience = patience
        self._heard = clock.monotonic()

    def heard(self) -> None:
        self._heard = self._clock.monotonic()

    @property
    def lost(self) -> bool:
        return self._clock.monotonic() - self._heard > self._patience
