"""Follow a channel and answer by it: the class that programs use."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from random import uniform
from types import TracebackType
from typing import Any, Self

from lockgate.boundary.pointers import Pointer, parse_channel
from lockgate.boundary.reports import Standing
from lockgate.boundary.routes import Revision
from lockgate.client.answering import Answering, Observer
from lockgate.client.faults import Faults, OnFault
from lockgate.client.following import Follower
from lockgate.client.http_source import HttpSource
from lockgate.client.kept import Kept
from lockgate.client.keyring import Keyring, Keys
from lockgate.client.sources import FolderSource, Source
from lockgate.embedded.model import Model
from lockgate.kernel.clock import Clock, SystemClock
from lockgate.kernel.errors import Conflict, LockgateError, Unavailable

INTERVAL = 10.0  # seconds between two looks at a source that cannot wait
PATIENCE = 60.0  # seconds
_WAIT = 30.0  # seconds that a source which can wait is asked to
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0  # seconds after failures: a way back must not wait for long
_SHORTEST_ROUND = 0.02  # seconds: whoever answers a long poll at once is asked no more often than this
_LONGEST_END = 10.0  # seconds
_NO_HEADERS: Mapping[str, str] = {}

log = logging.getLogger(__name__)


class Subscriber:
    """Answers by what the channel points to, and goes on by what was good whatever happens to the network, disk or publisher.

        with Subscriber("flight-delay@production", "https://models.example.com", keys="ed25519:…", folder="models") as model:
            model.predict({"carrier": "UA", "hour": 18, …})

    Any thread may ask. A thread of its own follows.

    channel: MODEL@ENVIRONMENT. source: the address of a control plane or of any web server with the same paths, or a folder.
    keys: public keys (`ed25519:…`) by one of which pointers and packages must be signed, or the path of a file of them, which is
    read again when it changes. folder: where pointer and packages are kept; several subscribers may share it. token: a key with
    the scope `subscribe`. interval: seconds between two looks at a source that cannot wait. host: by which name a canary meets
    this program as a whole; else the machine's. on_fault: told each fault when it begins. observer: told each prediction, by the
    thread that asked; it must not raise. ca: a file with the authority of an https source.

    Raises:
        Invalid: the channel, the source or a key is none; or the token would cross a network in the clear.
        Unavailable: the folder cannot be written to.
    """

    def __init__(  # noqa: PLR0913 - what a program may choose, each by its name
        self,
        channel: str,
        source: str | os.PathLike[str],
        *,
        keys: Keys,
        folder: str | os.PathLike[str],
        token: str | None = None,
        interval: float = INTERVAL,
        host: str | None = None,
        on_fault: OnFault | None = None,
        observer: Observer | None = None,
        ca: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        parse_channel(channel)
        self.channel = channel
        self.host = host or socket.gethostname()
        self.observer = observer
        self._interval = interval
        self._faults = Faults(channel, on_fault)
        self._source = open_source(source, token, ca)
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._answering: Answering | None = None
        self._thread: threading.Thread | None = None
        self._follower = Follower(
            channel,
            self._source,
            Keyring(keys),
            Kept(Path(folder), channel),
            self._faults,
            self._change,
            self._stopping,
            clock or SystemClock(),
        )

    def start(self, patience: float = PATIENCE) -> Self:
        """Begin to follow, and return as soon as a version can answer: at once, if one is kept from before.

        patience: seconds.

        Raises:
            Unavailable: none can by then; the subscriber is closed. Conflict: it was started before.
        """
        if self._thread is not None:
            raise Conflict(f"this subscriber of {self.channel} was started before", hint="Make another one.")
        self._follower.resume()
        self._thread = threading.Thread(target=self._follow, name=f"follows {self.channel}", daemon=True)
        self._thread.start()
        if not self._ready.wait(patience):
            self.close()
            raise self._unready()
        return self

    def close(self) -> None:
        """Follow no more. What was loaded goes on answering whoever still asks."""
        self._stopping.set()
        self._source.interrupt()
        if self._thread is not None:
            self._thread.join(_LONGEST_END)

    def predict(self, rows: Any, key: str | None = None, *, headers: Mapping[str, str] = _NO_HEADERS) -> Any:
        """The judged score: a float for one dict, an array of shape (rows,) for many rows; see embedded.Model.predict.

        Never waits for the network or for a version that is being taken up. If the version fails, the champion answers.

        key: by which a canary is met, as a customer's id: the same key meets the same version, here and at the gateway. Without
        one the whole host does. headers: what a request's headers would be, where a route tells by them.

        Raises:
            Unavailable: no version was ready yet. InvalidInput: the rows do not fit. RuntimeFailure, Invalid: the model failed.
        """
        return self.answer(rows, key, headers=headers)[1]

    def answer(self, rows: Any, key: str | None = None, *, headers: Mapping[str, str] = _NO_HEADERS) -> tuple[int, Any]:
        """The version that answered, and the scores: all else as `predict`."""
        answering = self._answering
        if answering is None:
            raise self._unready()
        return answering.predict(rows, key, headers)

    @property
    def version(self) -> int | None:
        """The version that answers whoever is in no trial; None before any could."""
        answering = self._answering
        return answering.running if answering is not None else None

    @property
    def revision(self) -> Revision:
        """Of the pointer that it answers by; the lowest before there was one."""
        answering = self._answering
        return answering.pointer.revision if answering is not None else Revision()

    @property
    def faults(self) -> tuple[str, ...]:
        """What keeps it from following now; empty while all is well."""
        return self._faults.texts

    @property
    def standing(self) -> Standing:
        answering = self._answering
        ready = tuple(sorted(answering.models)) if answering is not None else ()
        return Standing(self.channel, self.host, self.revision, self.version, ready, self.faults)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _change(self, pointer: Pointer, models: dict[int, Model]) -> None:
        """One assignment: whoever asks meanwhile is answered by what was before, or by what is now, and by nothing between."""
        self._answering = Answering(pointer, models, self.host, self.observer)
        self._ready.set()
        log.info("following", extra={"channel": self.channel, "revision": str(pointer.revision), "version": self.version})

    def _follow(self) -> None:
        failures = 0
        try:
            while not self._stopping.is_set():
                failures = 0 if self._turned() else failures + 1
                self._stopping.wait(self._pause(failures))
        finally:
            self._source.close()

    def _turned(self) -> bool:
        due = self._follower.next_try()
        try:
            self._follower.turn(_WAIT if due is None else min(due, _WAIT))
        except LockgateError:
            return False  # it stands among the faults
        except Exception as error:
            # Whatever nobody foresaw, a program that answers goes on answering, and following is tried again.
            log.exception("following failed", extra={"channel": self.channel})
            self._faults.begin("unforeseen", f"following {self.channel} failed: {type(error).__name__}: {error}")
            return False
        self._faults.end("unforeseen")
        return True

    def _pause(self, failures: int) -> float:
        if failures:
            return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 20)) * uniform(0.5, 1.0)  # noqa: S311 - no secret
        due = self._follower.next_try()
        pause = _SHORTEST_ROUND if self._source.waits else self._interval
        return pause if due is None else max(_SHORTEST_ROUND, min(pause, due))

    def _unready(self) -> Unavailable:
        why = "; ".join(self.faults) or "nothing has come yet"
        return Unavailable(f"no version of {self.channel} is ready: {why}")


def open_source(source: str | os.PathLike[str], token: str | None = None, ca: Path | None = None) -> Source:
    """Raises Invalid if it is neither an address nor a folder's path."""
    text = os.fspath(source)
    return HttpSource(text, token, ca) if text.startswith(("http://", "https://")) else FolderSource(Path(text))
