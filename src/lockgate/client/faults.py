"""What keeps a subscriber from following its channel: each told once when it begins, and gone when it is over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock

from lockgate.kernel.errors import LockgateError

log = logging.getLogger(__name__)

OnFault = Callable[[str], None]


class Faults:
    """on_fault: is told each one when it begins, in the thread that follows."""

    def __init__(self, channel: str, on_fault: OnFault | None = None) -> None:
        self._channel = channel
        self._on_fault = on_fault
        self._texts: dict[str, str] = {}
        self._lock = Lock()

    @property
    def texts(self) -> tuple[str, ...]:
        """Those that last, in the order in which they began."""
        with self._lock:
            return tuple(self._texts.values())

    def begin(self, about: str, error: LockgateError | str) -> None:
        """about: what it concerns; of each there is one fault at a time."""
        text = error if isinstance(error, str) else error.message
        with self._lock:
            known, self._texts[about] = self._texts.get(about), text
        if known != text:
            log.warning("following hindered", extra={"channel": self._channel, "about": about, "reason": text})
            self._tell(text)

    def end(self, about: str) -> None:
        with self._lock:
            text = self._texts.pop(about, None)
        if text is not None:
            log.info("following again", extra={"channel": self._channel, "about": about, "was": text})

    def end_all_but(self, prefix: str, lasting: frozenset[str]) -> None:
        """Those about what begins with `prefix` and is not among `lasting`: nobody will speak of it again."""
        with self._lock:
            over = [about for about in self._texts if about.startswith(prefix) and about not in lasting]
        for about in over:
            self.end(about)

    def _tell(self, text: str) -> None:
        if self._on_fault is None:
            return
        try:
            self._on_fault(text)
        except Exception:
            # The program's own code, of which anything may come: its mistake is told, and following goes on.
            log.exception("on_fault raised", extra={"channel": self._channel})
