"""Follow a channel and answer by it: the class that programs use."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from math import inf
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
from lockgate.embedded.reported import Answer
from lockgate.kernel.clock import Clock, SystemClock
from lockgate.kernel.errors import Conflict, Invalid, LockgateError, NotFound, Refused, Unavailable

INTERVAL = 10.0  # seconds between two looks at a source that cannot wait
PATIENCE = 60.0  # seconds
SILENCE = 30.0  # seconds without a word from the source, as of a gateway's worker
_INTERVALS = 3  # of a silence: a single question that is lost must not count as one
_WAIT = 10.0  # seconds that a source which can wait is asked to
_LOOK = 1.5  # seconds between two looks at a file of keys: a key that is revoked must not count for long
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
    the scope `subscribe`. interval: seconds between two looks at a source that cannot wait. silence: seconds after which a source
    that says nothing counts as lost, so that nobody watches a canary: the champion answers in its place; by default 30, or three
    intervals if that is more. host: whose requests all are that bring no key, where the plan tells units apart; else the
    machine's name. on_fault: told each fault when it begins. observer: told each prediction, by the thread that asked; it must
    not raise. ca: a file with the authority of an https source.

    Raises:
        Invalid: the channel, the source, a key or a number of seconds is none; or the token would cross a network in the clear.
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
        silence: float | None = None,
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
        self._silence = _checked("silence", max(SILENCE, _INTERVALS * interval) if silence is None else silence)
        self._interval = min(_checked("interval", interval), self._silence / _INTERVALS)
        self._wait = min(_WAIT, self._silence / _INTERVALS)
        self._clock = clock or SystemClock()
        self._stopping = threading.Event()
        self._faults = Faults(channel, on_fault, self._stopping)
        self._source = open_source(source, token, ca)
        self._ready = threading.Event()
        self._answering: Answering | None = None
        self._starting = threading.Lock()
        self._process: int | None = None  # in which it was started
        self._thread: threading.Thread | None = None
        self._hopeless: LockgateError | None = None  # what mends itself by no waiting, and was met before any version was ready
        keyring = Keyring(keys)
        self._look = _LOOK if keyring.changes else inf
        self._follower = Follower(
            channel,
            self._source,
            keyring,
            Kept(Path(folder), channel),
            self._faults,
            self._change,
            self._stopping,
            self._clock,
        )

    def start(self, patience: float = PATIENCE) -> Self:
        """Begin to follow, and return as soon as a version can answer: at once, if one is kept from before.

        patience: seconds. Nobody waits for what only people can mend: a source that refuses the token or knows no such channel or
        folder, a pointer that no trusted key signed.

        Raises:
            Unavailable: none can by then, or it was closed meanwhile; it is closed in either case. Conflict: it was started, or
            closed, before.
        """
        with self._starting:
            if self._process is not None or self._stopping.is_set():
                raise Conflict(f"this subscriber of {self.channel} was started before, or closed", hint="Make another one.")
            self._process = os.getpid()
        with ExitStack() as unless_ready:
            unless_ready.callback(self.close)
            self._follower.resume()
            thread = threading.Thread(target=self._follow, name=f"follows {self.channel}", daemon=True)
            thread.start()
            self._thread = thread
            self._ready.wait(patience)
            if self._answering is None or self._stopping.is_set():
                raise self._unready()
            unless_ready.pop_all()
        return self

    def close(self) -> None:
        """Follow no more. What was loaded goes on answering whoever still asks."""
        if self._process not in (None, os.getpid()):
            return  # forked: the thread and the connection are the parent's
        self._stopping.set()
        self._ready.set()  # whoever waits in `start` waits no longer
        self._source.interrupt()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_LONGEST_END)

    def predict(self, rows: Any, key: str | None = None, *, headers: Mapping[str, str] = _NO_HEADERS) -> Any:
        """The judged score: a float for one dict, an array of shape (rows,) for many rows; see embedded.Model.predict.

        Never waits for the network or for a version that is being taken up. If the version fails, the champion answers.

        key: whose request it is, as a customer's id, where the rollout's plan tells units apart by a header or a field: the same
        key meets the same version, here and at the gateway. Without one the unit is looked for where the plan says, among the
        headers or in the rows, and else is the host. Where each request is a unit, each is drawn anew. headers: what a request's
        headers would be.

        Raises:
            Unavailable: no version was ready yet. InvalidInput: the rows do not fit. RuntimeFailure, Invalid: the model failed.
        """
        return self.answer(rows, key, headers=headers).scores

    def answer(self, rows: Any, key: str | None = None, *, headers: Mapping[str, str] = _NO_HEADERS) -> Answer:
        """With the version that answered: `version`, `scores`, `fallback`; all else as `predict`."""
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
        ended = self._thread is not None and not self._thread.is_alive() and not self._stopping.is_set()
        return (*self._faults.texts, f"nothing follows {self.channel} in this process") if ended else self._faults.texts

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
        self._answering = Answering(pointer, models, self.host, self.observer, self._unheard)
        self._ready.set()
        log.info("following", extra={"channel": self.channel, "revision": str(pointer.revision), "version": self.version})

    def _follow(self) -> None:
        failures = 0
        try:
            while not self._stopping.is_set():
                failures = 0 if self._turned(again=failures > 0) else failures + 1
                self._tell_silence()
                self._rest(self._pause(failures))
        finally:
            self._source.close()

    def _rest(self, seconds: float) -> None:
        """Until the next turn, or until other keys count."""
        while seconds > 0 and not self._stopping.wait(min(seconds, self._look)):
            seconds -= self._look
            if seconds > 0 and self._follower.look_at_keys():
                return

    def _turned(self, *, again: bool) -> bool:
        """again: the last one failed, so the next word must come at once."""
        due = self._follower.next_try()
        wait = min(self._wait, self._look, inf if due is None else due)
        try:
            self._follower.turn(0.0 if again else wait)
        except LockgateError as error:
            if self._answering is None and isinstance(error, Refused | NotFound):
                self._hopeless = error
                self._ready.set()
            return False  # it stands among the faults
        except Exception as error:
            if self._stopping.is_set():
                return False  # what was under way was broken off
            # Whatever nobody foresaw, a program that answers goes on answering, and following is tried again.
            log.exception("following failed", extra={"channel": self.channel})
            self._faults.begin("unforeseen", f"following {self.channel} failed: {type(error).__name__}: {error}")
            return False
        self._faults.end("unforeseen")
        return True

    def _unheard(self) -> bool:
        """Asked with each prediction, for the thread that follows may be held up, or be gone in a child that was forked."""
        return self._clock.monotonic() - self._follower.heard_at > self._silence

    def _tell_silence(self) -> None:
        if self._unheard():
            text = f"nothing was heard of {self.channel} for {self._silence:g} s: a canary's share goes to the champion"
            self._faults.begin("silence", text)
        else:
            self._faults.end("silence")

    def _pause(self, failures: int) -> float:
        if failures:
            return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 20)) * uniform(0.5, 1.0)  # noqa: S311 - no secret
        due = self._follower.next_try()
        pause = _SHORTEST_ROUND if self._source.waits else self._interval
        return pause if due is None else max(_SHORTEST_ROUND, min(pause, due))

    def _unready(self) -> Unavailable:
        why = "; ".join(self.faults) or ("it was closed" if self._stopping.is_set() else "nothing has come yet")
        hint = self._hopeless.hint if self._hopeless is not None else None
        return Unavailable(f"no version of {self.channel} is ready: {why}", hint=hint)


def open_source(source: str | os.PathLike[str], token: str | None = None, ca: Path | None = None) -> Source:
    """Raises Invalid if it is neither an address nor a folder's path."""
    text = os.fspath(source)
    return HttpSource(text, token, ca) if text.startswith(("http://", "https://")) else FolderSource(Path(text))


def _checked(what: str, seconds: float) -> float:
    if not seconds > 0:
        raise Invalid(f"{what} of {seconds:g} s found, more than 0 expected")
    return seconds
