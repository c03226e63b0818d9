"""One worker's connection to a host, seen from the host: requests come in, answers go out, shadows' outcomes in groups."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast

from lockgate.embedded.scores import Scorer
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Invalid
from lockgate.serving.isolation import wire
from lockgate.serving.isolation.batcher import Batcher
from lockgate.serving.isolation.batching import Failed, Result, work_of
from lockgate.serving.isolation.frames import Frames, Malformed
from lockgate.serving.isolation.wire import Ask, Offer, Scored

GROUP = 32  # outcomes in one message, with so many scores at most: what a worker takes in without holding up its loop
_SCORES = 512
_MOST_UNREAD = 128 << 20  # bytes of answers that a worker may leave unread
_MOST_UNREAD_OUTCOMES = 1 << 20


class Desk(asyncio.Protocol):
    """desks: all that are open; this one keeps itself in it."""

    def __init__(self, batcher: Batcher, scorer: Scorer, clock: Clock, desks: set[Desk]) -> None:
        self._batcher = batcher
        self._scorer = scorer
        self._clock = clock
        self._desks = desks
        self._frames = Frames()
        self._outcomes: list[Scored] = []
        self._held: deque[bytes] = deque()
        self._paused = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._desks.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name  # noqa: ARG002 - asyncio's name
        self._transport = None
        self._desks.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._held += self._frames.feed(data)
            self._take()
        except Malformed:
            self._abort()

    def flush(self) -> None:
        """Send the outcomes that have gathered, and take in what had to wait."""
        outcomes, self._outcomes = self._outcomes, []
        if self._transport is None or self._transport.get_write_buffer_size() > _MOST_UNREAD_OUTCOMES:
            return  # a worker that does not read them: they time out there
        for group in _groups(outcomes):
            self._transport.write(wire.outcomes(group))
        if self._paused and not self._batcher.full:
            self._resume()

    def _resume(self) -> None:
        try:
            self._take()
        except Malformed:
            self._abort()

    def _take(self) -> None:
        """Pass on what has come. Offers that find no room stay, and nothing more is read: so the worker sees its buffer fill."""
        while self._held:
            message = wire.heard_by_host(self._held[0])
            if isinstance(message, Offer) and self._batcher.full:
                self._pause()
                return
            self._held.popleft()
            self._accept(message)
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def _pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _accept(self, message: Ask | Offer) -> None:
        now = self._clock.monotonic()
        reply: Callable[[Result], None]
        if isinstance(message, Ask):
            reply = partial(self._answer, message.id)
        else:
            reply = partial(self._score, message.id, _rows(message))
        if self._batcher.full:
            reply(Failed("overloaded", f"{self._batcher.queued} requests wait already"))
            return
        try:
            work = work_of(wire.unpack_feeds(message.feeds), now, now + message.remaining, reply)
        except Invalid as error:
            reply(Failed("error", error.message))
        else:
            self._batcher.submit(work)

    def _answer(self, number: int, result: Result) -> None:
        if self._transport is None:
            return
        self._transport.write(_framed(number, result))
        if self._transport.get_write_buffer_size() > _MOST_UNREAD:
            self._abort()

    def _score(self, number: int, rows: int, result: Result) -> None:
        self._outcomes.append(_scored(self._scorer, number, rows, result))

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _groups(outcomes: Sequence[Scored]) -> Iterator[list[Scored]]:
    group: list[Scored] = []
    scores = 0
    for outcome in outcomes:
        scores += len(outcome.scores or ())
        if group and (len(group) == GROUP or scores > _SCORES):
            yield group
            group, scores = [], len(outcome.scores or ())
        group.append(outcome)
    if group:
        yield group


def _rows(message: Offer) -> int:
    return message.feeds[0].shape[0] if message.feeds and message.feeds[0].shape else 0


def _framed(number: int, result: Result) -> bytes:
    if isinstance(result, Failed):
        return wire.failure(number, result.kind, result.message)
    try:
        return wire.answer(number, result.seconds, wire.pack_outputs(result.outputs))
    except (Invalid, Malformed) as error:
        return wire.failure(number, "output", error.message)


def _scored(scorer: Scorer, number: int, rows: int, result: Result) -> Scored:
    if isinstance(result, Failed):
        return Scored(number, result.seconds, None, result.kind, result.message)
    try:
        return Scored(number, result.seconds, scorer.scores(result.outputs, rows))
    except (Invalid, ValueError) as error:  # ValueError: not as many outputs as the signature has
        return Scored(number, result.seconds, None, "output", str(error)[:300])
