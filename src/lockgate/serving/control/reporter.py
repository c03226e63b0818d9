"""Sends what the worker has to say: acknowledgements first, then blocks in their order, then what dead workers left behind."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from lockgate.boundary.acknowledgements import Acknowledgement
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Refused, Unavailable
from lockgate.serving.capture.figures import Figures
from lockgate.serving.capture.spool import Spool
from lockgate.serving.control.channel import Line, pause_after
from lockgate.serving.control.contact import Contact

_LONGEST_PAUSE = 2.0  # seconds
_ADOPT_EVERY = 5.0  # seconds

log = logging.getLogger(__name__)


class Reporter(threading.Thread):
    """A thread of its own: however slow the control plane is, no answer waits for it.

    on_adopted: called in this thread with what a dead worker had not told, for the figures.
    """

    def __init__(
        self,
        channel: Line,
        contact: Contact,
        spool: Spool,
        root: Path,
        clock: Clock,
        on_adopted: Callable[[Figures], None] | None = None,
    ) -> None:
        super().__init__(name="reporter", daemon=True)
        self._channel = channel
        self._contact = contact
        self._spool = spool
        self._root = root
        self._clock = clock
        self._on_adopted = on_adopted
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._acknowledgement: Acknowledgement | None = None
        self._adopted_at: float | None = None

    def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        """Only the newest is sent: it says all that older ones said."""
        self._acknowledgement = acknowledgement
        self._wake.set()

    def wake(self) -> None:
        """There is a new block in the spool."""
        self._wake.set()

    def finish(self, patience: float) -> None:
        """Send what is there, then end; what could not be sent within `patience` seconds is left for another worker."""
        self._stopping.set()
        self._wake.set()
        self.join(patience)

    def run(self) -> None:
        failures = 0
        while True:
            last = self._stopping.is_set()
            self._wake.clear()
            try:
                self._round()
                failures = 0
            except (Unavailable, OSError) as error:
                failures += 1
                if failures == 1:
                    what = "control plane away" if isinstance(error, Unavailable) else "the disk refuses the spool"
                    log.warning(what, extra={"reason": str(error)})
                self._stopping.wait(pause_after(failures, _LONGEST_PAUSE))
            except Exception:  # what one folder holds must not keep all others from being told
                failures += 1
                if failures == 1:
                    log.exception("report failed")
                self._stopping.wait(pause_after(failures, _LONGEST_PAUSE))
            if last:
                break
            if not failures:
                self._wake.wait(_ADOPT_EVERY)
        self._channel.close()

    def _round(self) -> None:
        self._send_acknowledgement()
        self._send_blocks(self._spool)
        now = self._clock.monotonic()
        if self._adopted_at is None or now - self._adopted_at >= _ADOPT_EVERY:
            self._adopted_at = now
            self._adopt()

    def _adopt(self) -> None:
        for orphan in Spool.adopt(self._root):
            try:
                log.info("adopted the spool of a dead worker", extra={"blocks": orphan.waiting, "worker": orphan.worker})
                if self._on_adopted is not None:
                    self._on_adopted(orphan.left)
                self._send_blocks(orphan)
            finally:
                orphan.release()

    def _send_blocks(self, spool: Spool) -> None:
        for path in spool.blocks():
            self._send_acknowledgement()
            try:
                self._channel.call("POST", "/control/v1/observations", path.read_bytes(), "application/msgpack")
            except Refused as error:
                log.warning("block dropped", extra={"block": path.name, "reason": error.message})
            spool.remove(path)
            self._contact.heard()

    def _send_acknowledgement(self) -> None:
        acknowledgement = self._acknowledgement
        if acknowledgement is None:
            return
        try:
            self._channel.call("POST", "/control/v1/acknowledgements", msgspec.json.encode(acknowledgement))
        except Refused as error:
            log.warning("acknowledgement refused", extra={"reason": error.message})
        if self._acknowledgement is acknowledgement:
            self._acknowledgement = None
        self._contact.heard()
