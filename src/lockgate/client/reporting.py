"""A subscriber that reports: what it answered, what became of it, and how it stands.

subscriber = Subscriber("flight-delay@production", "https://lockgate.example", keys=…, folder=…, token=token)
with Reporting(subscriber, "https://lockgate.example", token) as model:
    answer = model.answer({"carrier": "UA", "hour": 18}, "customer-7")    # version, scores, an id for each row
    model.label(answer.prediction_ids[0], 1)                              # when the truth is known
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from threading import local
from types import TracebackType
from typing import Any, Self

import msgspec

from lockgate.boundary.pointers import parse_channel
from lockgate.client.answering import Observed
from lockgate.client.subscriber import PATIENCE, Subscriber
from lockgate.embedded.reported import Answer
from lockgate.embedded.reporter import SUBSCRIBER, Reporter
from lockgate.embedded.telling import listed, tell
from lockgate.kernel.errors import LockgateError

_NO_HEADERS: Mapping[str, str] = {}


class Observing:
    """A client.answering.Observer that tells a reporter."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._here = local()

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the last answer that this thread was given: one for each row."""
        found: tuple[str, ...] = getattr(self._here, "ids", ())
        return found

    def __call__(self, one: Observed) -> None:
        outcome = one.failure if one.failure is not None else listed(one.scores)
        timeout = one.pointer.route.timeout
        self._here.ids = tell(self._reporter, one.assignment, outcome, one.seconds, one.columns, first=one.first, timeout=timeout)


class Reporting:
    """Wraps a subscriber that was not started yet. options: those of Reporter.

    Raises:
        Invalid: the address is none that a token may be sent to.
    """

    def __init__(self, subscriber: Subscriber, url: str, token: str, **options: Any) -> None:
        self.subscriber = subscriber
        model, _ = parse_channel(subscriber.channel)
        self.reporter = Reporter(url, token, model, kind=SUBSCRIBER, host=subscriber.host, standing=self._standing, **options)
        self._observing = Observing(self.reporter)
        subscriber.observer = self._observing

    def start(self, patience: float = PATIENCE) -> Self:
        """See Subscriber.start."""
        try:
            self.subscriber.start(patience)
        except LockgateError:
            self.reporter.close()
            raise
        self.reporter.begin()
        return self

    def predict(self, rows: Any, key: str | None = None, *, headers: Mapping[str, str] = _NO_HEADERS) -> Any:
        """See Subscriber.predict."""
        return self.subscriber.predict(rows, key, headers=headers)

    def answer(self, rows: Any, key: str | None = None, *, headers: Mapping[str, str] = _NO_HEADERS) -> Answer:
        """The same, with the version that answered and ids for labels."""
        return replace(self.subscriber.answer(rows, key, headers=headers), prediction_ids=self._observing.ids)

    def label(self, prediction_id: str, label: float, at: float | None = None) -> None:
        """See Reporter.label."""
        self.reporter.label(prediction_id, label, at)

    def close(self) -> None:
        """Follow no more, and report for the last time."""
        self.subscriber.close()
        self.reporter.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _standing(self) -> dict[str, Any]:
        told: dict[str, Any] = msgspec.to_builtins(self.subscriber.standing)
        return told | {"host": self.reporter.host}
