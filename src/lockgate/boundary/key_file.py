"""The file of keys as a server follows it: read again when it changes, and the last good content while it cannot be read.

Looking costs a `stat`. A server does it about once a second, beside its requests, so that a key is known, or gone, within two.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from lockgate.boundary.keys import Key, KeyScope, closes, decode, key_id
from lockgate.kernel.errors import Invalid

KEY_FILE = "keys.json"  # in the folder of secrets
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class KeyFile:
    """Not for two threads at once.

    there: whether the file was ever seen. keys: by id. readable: whether its content was ever understood; until then nobody can
    be told from anybody.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.there = False
        self.readable = False
        self.keys: Mapping[str, Key] = {}
        self._seen: object = None
        self._closed = False  # by a key, at any time
        self._understood = False  # as it is now

    @property
    def closes(self) -> bool:
        """Whether the data plane asks for keys. What was closed once is not opened by deleting the file, or by damaging it."""
        return self.there and (self._closed or not self._understood)

    def refresh(self) -> None:
        """Read the file if it changed.

        Raises:
            Invalid: it changed, and cannot be used. Told once for each change; the keys stay as they were.
        """
        try:
            status = self.path.stat()
            if _signature(status) != self._seen:
                self._read()
        except FileNotFoundError:
            if self.there and self._is_new("gone"):
                raise Invalid(f"{self.path} is gone; its keys hold until the server starts again") from None
        except OSError as error:
            self.there, self._understood = True, False
            if self._is_new(error.errno):
                raise Invalid(f"{self.path} cannot be read: {error.strerror}") from error

    def holder(self, text: str, scope: KeyScope, now: datetime) -> Key | None:
        """The key whose text this is, if it opens `scope` now."""
        key = self.keys.get(key_id(text) or "")
        return key if key is not None and key.opens(text) and scope in key.scopes and not key.ended(now) else None

    def _read(self) -> None:
        with self.path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read()
        self.there, self._understood = True, False
        self._seen = _signature(status)
        if status.st_mode & _OTHERS_WRITE:
            raise Invalid(
                f"{self.path} may be written by others than its owner (mode {stat.S_IMODE(status.st_mode):o})",
                hint=f"chmod 600 {self.path}",
            )
        try:
            self.keys = decode(content)
        except Invalid as error:
            raise Invalid(f"{self.path}: {error.message}", hint=error.hint) from error
        self.readable = self._understood = True
        self._closed = self._closed or closes(self.keys.values())

    def _is_new(self, state: object) -> bool:
        seen, self._seen = self._seen, state
        return seen != state


def _signature(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size
