"""Tells the control plane what a program predicted: counted into blocks, sent by a thread of its own every few seconds.

It never keeps its program waiting and never breaks it: what finds no room is dropped and counted, what the control plane refuses
is dropped and said in the log, and what nobody takes now is kept, within bounds, and sent later under the same id, which counts
once. With nothing but the standard library. After a fork the child is a reporter of its own.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import re
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import isfinite
from random import getrandbits
from secrets import token_hex
from typing import Any
from weakref import WeakSet

from lockgate.embedded.counting import Counting
from lockgate.embedded.outgoing import Fate, Outgoing, Report
from lockgate.embedded.prediction_ids import Ids, Predicted
from lockgate.embedded.record_lines import Lines, line
from lockgate.embedded.sending import Sender, Sent
from lockgate.embedded.tallies import UNASSIGNED, Tally
from lockgate.kernel.clock import Clock, SystemClock
from lockgate.kernel.errors import Invalid

EVERY = 10.0  # seconds
EMBEDDED, SUBSCRIBER = "embedded", "subscriber"
MOST_OPEN = 5_000  # predictions after which a block is closed early
MOST_LABELS = 1_000  # the same of labels
PATIENCE = 5.0  # seconds for one report
LONGEST_PAUSE = 300.0  # seconds, while nobody takes a report
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")

Standing = Callable[[], Mapping[str, Any] | None]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Open:
    """What was not put into a block yet. since: Unix seconds."""

    since: float
    counting: Counting = field(default_factory=Counting)
    lines: Lines = field(default_factory=Lines)
    labels: list[dict[str, Any]] = field(default_factory=list)
    unassigned: int = 0

    @property
    def full(self) -> bool:
        return self.counting.size >= MOST_OPEN or len(self.labels) >= MOST_LABELS


class Reporter:
    """Any thread may use it."""

    def __init__(  # noqa: PLR0913 - what there is to choose, each by name
        self,
        url: str,
        token: str,
        model: str,
        *,
        kind: str = EMBEDDED,
        host: str = "",
        every: float = EVERY,
        records: bool = True,
        standing: Standing | None = None,
        plain_http: bool = False,
        clock: Clock | None = None,
        send: Callable[[bytes, float], Sent] | None = None,
    ) -> None:
        """url: of the control plane. token: a key with the scope `subscribe`. kind: `embedded`, or `subscriber` for what follows
        a channel. host: which machine this is, as people know it. every: seconds between two reports. records: whether inputs and
        scores are told, which is what drift is looked for in. standing: how the program stands, as boundary.reports.Standing,
        asked before each report. send: in place of HTTP.

        Raises:
            Invalid: the address is none that a token may be sent to, or the token is none.
        """
        _check_token(token)
        self.model = model
        self.host = _UNSAFE.sub("-", host or socket.gethostname())[:80] or "unnamed"
        self.worker = f"{kind}/{self.host}"
        self._send = send or Sender(url, token, plain_http=plain_http)
        self._ids = Ids(token, model)
        self._every, self._records, self._standing = every, records, standing
        self._clock = clock or SystemClock()
        self._begin()
        atexit.register(self._end)
        _REPORTERS.add(self)

    @property
    def fate(self) -> Fate:
        """What became of the predictions that were reported so far."""
        return self._outgoing.fate

    def answered(
        self,
        tally: Tally,
        key: int,
        seconds: float,
        scores: Sequence[float],
        columns: Mapping[str, Sequence[Any]],
        *,
        segment: int = 0,
        chosen: bool = False,
    ) -> tuple[str, ...]:
        """A version answered; its ids for labels, one for each row. seconds: that the model took. segment: its place (see
        Assignment). chosen: the caller named the version, or a rule did.
        """
        at, revision = self._clock.unix(), _revision(tally)
        ids = tuple(
            self._ids.write(Predicted(tally.version, revision, key, float(score), at, next(self._serial), segment))
            for score in scores
        )
        told = line(tally, revision, ids, at, columns, scores, None) if self._records else None
        with self._lock:
            self._open.counting.succeed(tally, key, seconds, at, float(scores[0]) if len(scores) else 0.0)
            self._taken(told, tally, chosen=chosen)
        self._start()
        return ids

    def failed(self, tally: Tally, key: int, kind: str, columns: Mapping[str, Sequence[Any]], *, chosen: bool = False) -> None:
        """A version was tried and did not answer. kind: error, timeout, signature, output."""
        at = self._clock.unix()
        told = line(tally, _revision(tally), (), at, columns, (), kind) if self._records else None
        with self._lock:
            self._open.counting.fail(tally, key, kind, at)
            self._taken(told, tally, chosen=chosen)
        self._start()

    def label(self, prediction_id: str, label: float, at: float | None = None) -> None:
        """The truth about a prediction, once it is known. at: Unix seconds since when it is; None for now.

        Raises:
            Invalid: the id was not given out under this token for this model, or a number is not finite.
        """
        one, since = self._ids.read(prediction_id), self._clock.unix() if at is None else float(at)
        if not (isfinite(label) and isfinite(since)):
            raise Invalid(f"label {label}, known since {since} found, finite numbers expected")
        told = {
            "prediction_id": prediction_id,
            "model": self.model,
            "version": one.version,
            "revision": one.revision,
            "key": one.key,
            "score": one.score,
            "label": float(label),
            "at": since,
            "answered_at": one.answered_at,
            "segment": one.segment,
        }
        with self._lock:
            self._open.labels.append(told)
            self._close_full()
        self._start()

    def begin(self) -> None:
        """Report at once, and from now on: how the program stands is known before it predicts. Nobody waits for it."""
        self._start(0.0)

    def flush(self, patience: float = PATIENCE) -> bool:
        """Report now what there is. patience: seconds for each report. True if all of it was taken or refused."""
        standing = self._standing() if self._standing is not None else None
        with self._lock:
            if standing or self._open.counting.size or self._open.labels:
                self._close_block(standing)
        return self._outgoing.deliver(patience)

    def close(self, patience: float = 4.0) -> None:
        """A last report, and no more. patience: seconds for all of it: what was not taken by then is lost."""
        atexit.unregister(self._end)
        self._start()
        self._patience = patience
        self._stopping.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience)

    def _end(self) -> None:
        """With its program, when no thread can be had any more: who has none told nothing, and leaves without a word."""
        if self._thread is not None:
            self.close()

    def _begin(self) -> None:
        """As a process of its own: what the one before a fork had counted is told by that one."""
        self.incarnation = token_hex(8)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._patience = PATIENCE
        self._sequence, self._serial = count(1), count(getrandbits(24))
        self._open = _Open(self._clock.unix())
        self._outgoing = Outgoing(self._send)

    def _start(self, first: float | None = None) -> None:
        """first: seconds until the first report."""
        if self._thread is not None or self._stopping.is_set():
            return
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, args=(first,), name="lockgate-reports", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # no thread can be had: the next prediction tries again, and is answered
                    log.warning("reports wait", extra={"model": self.model, "reason": str(error)})
                else:
                    self._thread = thread

    def _run(self, first: float | None) -> None:
        pause = self._every if first is None else first
        while not self._stopping.wait(pause):
            pause = self._every if self._flushed() else min(2 * max(pause, self._every), LONGEST_PAUSE)
        self._flushed()

    def _flushed(self) -> bool:
        try:
            return self.flush(self._patience)
        except Exception:
            # Whatever nobody foresaw, as in the program's own `standing`: what comes later is reported all the same.
            log.exception("reporting failed", extra={"model": self.model})
            return False

    def _taken(self, told: str | None, tally: Tally, *, chosen: bool) -> None:
        """Keep the record of what was just counted. With the lock held."""
        if self._records:
            self._open.lines.add(told)
        self._open.unassigned += not tally.judged and not chosen
        self._close_full()

    def _close_full(self) -> None:
        if self._open.full:
            self._close_block(None)

    def _close_block(self, standing: Mapping[str, Any] | None) -> None:
        """What is open becomes a report that waits. With the lock held."""
        open_, now = self._open, self._clock.unix()
        self._open = _Open(now)
        size = open_.counting.size
        cells, aside = open_.counting.take()
        block = {
            "worker": self.worker,
            "incarnation": self.incarnation,
            "sequence": next(self._sequence),
            "opened_at": open_.since,
            "closed_at": now,
            "cells": cells,
            "aside": aside,
            "feedback": open_.labels,
            "records_logged": len(open_.lines.kept),
            "records_dropped": open_.lines.dropped,
            "unassigned": open_.unassigned,
        }
        records = ",".join(open_.lines.kept)
        body = f'{{"block":{json.dumps(block)},"records":[{records}],"standing":{json.dumps(standing)}}}'
        self._outgoing.add(Report(body.encode(), size))


_REPORTERS: WeakSet[Reporter] = WeakSet()


def _begin_in_child() -> None:
    for reporter in tuple(_REPORTERS):
        reporter._begin()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)


def _check_token(token: str) -> None:
    """Whether a header can hold it. It is not repeated: it may be a good one with a line break."""
    if not token.strip():
        raise Invalid("the token is empty", hint="`lockgate token create --scope subscribe` makes a key.")
    if not (token.isascii() and token.isprintable()) or token != token.strip():
        raise Invalid(
            "the token has blanks around it, a line break or letters that are not ASCII", hint="Give it as it was shown."
        )


def _revision(tally: Tally) -> tuple[int, int]:
    return tally.revision if tally.judged else UNASSIGNED
