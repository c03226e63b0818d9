"""POST to a receiver that somebody named, without being led astray: see `connect`. No proxy is taken from the environment."""

from __future__ import annotations

import http.client
from collections.abc import Collection, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from lockgate.integrations.http.connect import Deadline, Resolve, check_literal, connect, resolve
from lockgate.integrations.http.target import Target, parse
from lockgate.kernel.clock import Clock, SystemClock
from lockgate.kernel.errors import Unavailable
from lockgate.ports.post import Answer

WHOLE = 10.0  # seconds from the first look for the name to the last byte of the answer
LONGEST = 64 * 1024  # bytes of an answer that are read


class HttpPost:
    """A ports.post.Post."""

    def __init__(self, clock: Clock | None = None, *, resolver: Resolve = resolve, seconds: float = WHOLE) -> None:
        self._clock = clock or SystemClock()
        self._resolver = resolver
        self._seconds = seconds

    def check(self, url: str, private: Collection[str]) -> str:
        target = parse(url, private)
        check_literal(target)
        return target.shown

    def send(self, url: str, headers: Mapping[str, str], body: bytes, private: Collection[str]) -> Answer:
        """A redirect is an answer like others: nobody follows it."""
        target = parse(url, private)
        try:
            return self._asked(target, headers, body)
        except TimeoutError as error:
            raise Unavailable(f"{target.shown}: no answer within {self._seconds:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{target.shown}: {type(error).__name__}: {error}") from error

    def _asked(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        with connect(target, Deadline(self._seconds), self._resolver) as line:
            connection = http.client.HTTPConnection(target.host, target.port)
            connection.auto_open = 0  # it never looks for the name itself
            connection.sock = line
            sent = {"host": target.shown, "user-agent": "lockgate", "connection": "close", **headers}
            connection.request("POST", target.path, body, sent)
            with connection.getresponse() as answer:
                return Answer(answer.status, answer.read(LONGEST), self._retry_after(answer.getheader("retry-after")))

    def _retry_after(self, text: str | None) -> float | None:
        """Seconds, which it spells as a number or as a date."""
        if text is None:
            return None
        if text.strip().isascii() and text.strip().isdigit():
            return float(text.strip()[:9])
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - self._clock.now()).total_seconds())
