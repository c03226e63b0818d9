"""Reports on their way: in their order, within bounds, each sent again under its id until somebody took it or refused it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from lockgate.embedded.sending import Sent

MOST_BYTES = 16 << 20  # of all that waits; of more the oldest is dropped


@dataclass(frozen=True, slots=True)
class Report:
    """predictions: that it tells of."""

    body: bytes
    predictions: int


@dataclass(slots=True)
class Fate:
    """Of predictions in reports: taken, refused by the control plane, or dropped for lack of room."""

    taken: int = 0
    refused: int = 0
    dropped: int = 0


class Outgoing:
    """Any thread may use it. send: takes a body and seconds of patience."""

    def __init__(self, send: Callable[[bytes, float], Sent], most: int = MOST_BYTES) -> None:
        self.fate = Fate()
        self._send = send
        self._most = most
        self._size = 0
        self._waiting: deque[Report] = deque()
        self._lock = threading.Lock()
        self._sending = threading.Lock()

    def add(self, report: Report) -> None:
        with self._lock:
            self._waiting.append(report)
            self._size += len(report.body)
            while self._size > self._most:
                self.fate.dropped += self._first_out().predictions

    def deliver(self, patience: float) -> bool:
        """Send what waits. patience: seconds for each. False when something must wait on."""
        with self._sending:
            while (report := self._first()) is not None:
                sent = self._send(report.body, patience)
                if sent is Sent.LATER:
                    return False
                self._settle(report, sent)
        return True

    def _first(self) -> Report | None:
        with self._lock:
            return self._waiting[0] if self._waiting else None

    def _first_out(self) -> Report:
        report = self._waiting.popleft()
        self._size -= len(report.body)
        return report

    def _settle(self, report: Report, sent: Sent) -> None:
        with self._lock:
            if not self._waiting or self._waiting[0] is not report:
                return  # it had to make room meanwhile, and was counted as dropped
            self._first_out()
            if sent is Sent.TAKEN:
                self.fate.taken += report.predictions
            else:
                self.fate.refused += report.predictions
