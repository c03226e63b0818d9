"""The last route table, kept on disk, and the long poll that brings the next one."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from lockgate.boundary.routes import Revision, RouteTable
from lockgate.kernel.errors import Invalid, LockgateError
from lockgate.serving.control.channel import Line, pause_after
from lockgate.serving.control.contact import Contact

WAIT = 10.0  # seconds that the control plane holds a poll
_LONGEST_PAUSE = 1.0  # seconds: a roll-back must not wait for a polite client
_SHORTEST_ROUND = 0.02  # seconds: whoever answers a long poll at once is asked no more often than this

log = logging.getLogger(__name__)
_decoder = msgspec.json.Decoder(RouteTable)


class TableFile:
    """`routes.json`: a worker serves by it when there is no control plane."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> RouteTable | None:
        """The kept table; None if there is none.

        Raises:
            Invalid: there is one that cannot be read.
        """
        try:
            return decode(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Invalid(f"{self._path} cannot be read: {error.strerror}") from error

    def write(self, table: RouteTable) -> None:
        """Whole or not at all, and never over a newer one."""
        try:
            kept = self.read()
        except Invalid:
            kept = None
        if kept is not None and kept.revision >= table.revision:
            return
        draft = self._path.with_suffix(f".{os.getpid()}")
        draft.write_bytes(msgspec.json.encode(table))
        draft.replace(self._path)


def decode(content: bytes) -> RouteTable:
    try:
        return _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"this is no route table: {error}") from error


class TablePoll(threading.Thread):
    """Asks for a table newer than the last one, for ever; hands each to `on_table`, in this thread.

    The first answer counts even if it is «nothing newer»: then the control plane has no table but the empty one.
    """

    def __init__(self, channel: Line, contact: Contact, known: RouteTable | None, on_table: Callable[[RouteTable], None]) -> None:
        super().__init__(name="route-table", daemon=True)
        self._channel = channel
        self._contact = contact
        self._on_table = on_table
        self._known = known.revision if known else Revision()
        self._none_yet = known is None
        self._stopping = threading.Event()

    def run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._ask()
                failures = 0
            except LockgateError as error:
                failures += 1
                if failures == 1:
                    log.warning("no route table", extra={"reason": error.message})
            self._stopping.wait(pause_after(failures, _LONGEST_PAUSE) if failures else _SHORTEST_ROUND)
        self._channel.close()

    def stop(self) -> None:
        self._stopping.set()

    def _ask(self) -> None:
        wait = 0.0 if self._none_yet else WAIT
        content = self._channel.call("GET", f"/control/v1/routes?after={self._known}&wait={wait:g}")
        self._contact.heard()
        table = RouteTable() if content is None and self._none_yet else decode(content) if content is not None else None
        self._none_yet = False
        if table is not None and (table.revision > self._known or table.revision == Revision()):
            self._known = table.revision
            self._on_table(table)
