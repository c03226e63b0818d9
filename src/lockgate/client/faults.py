"""What keeps a subscriber from following its channel: each told once when it begins, and gone when it is over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event

from lockgate.kernel.errors import LockgateError

log = logging.getLogger(__name__)

OnFault = Callable[[str], None]


class Faults:
    """Told by one thread, read by any. on_fault: is told each one when it begins, in the thread that follows. stopping: once it
    is set nothing begins any more, for what ends with its subscriber is no fault.
    """

    def __init__(self, channel: str, on_fault: OnFault | None, stopping: Event) -> None:
        self._channel = channel
        self._on_fault = on_fault
        self._stopping = stopping
        self._texts: dict[str, str] = {}  # replaced whole: a lock would stay held in a child that is forked meanwhile

    @property
    def texts(self) -> tuple[str, ...]:
        """Those that last, in the order in which they began."""
        return tuple(self._texts.values())

    def begin(self, about: str, error: LockgateError | str) -> None:
        """about: what it concerns; of each there is one fault at a time."""
        if self._stopping.is_set():
            return
        text = error if isinstance(error, str) else error.message
        known, self._texts = self._texts.get(about), {**self._texts, about: text}
        if known != text:
            log.warning("following hindered: %s", text, extra={"channel": self._channel, "about": about})
            self._tell(text)

    def end(self, about: str) -> None:
        text = self._texts.get(about)
        if text is not None:
            self._texts = {other: one for other, one in self._texts.items() if other != about}
            log.info("following again", extra={"channel": self._channel, "about": about, "was": text})

    def end_all_but(self, prefix: str, lasting: frozenset[str]) -> None:
        """Those about what begins with `prefix` and is not among `lasting`: nobody will speak of it again."""
        over = [about for about in self._texts if about.startswith(prefix) and about not in lasting]
        for about in over:
            self.end(about)

    def _tell(self, text: str) -> None:
        if self._on_fault is None:
            return
        try:
            self._on_fault(text)
        except (Exception, SystemExit):
            # The program's own code, of which anything may come: its mistake is told, and following goes on. A program that
            # exits here would end this thread, without a word, and nothing else.
            log.exception("on_fault raised", extra={"channel": self._channel})
