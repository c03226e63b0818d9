"""Whose signatures a subscriber believes: keys that it was given, or a file of them that is read again when it changes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from lockgate.boundary import trust
from lockgate.boundary.public_keys import KIND
from lockgate.boundary.trust import Trust
from lockgate.kernel.errors import Invalid

Keys = str | os.PathLike[str] | Iterable[str]


class Keyring:
    """keys: `ed25519:…`, several of them, or the path of a file of them, see boundary.trust.

    Raises:
        Invalid: the file cannot be read. InvalidInput: there is no key, or what is there is none.
    """

    def __init__(self, keys: Keys) -> None:
        if isinstance(keys, str):
            keys = [keys] if keys.startswith(KIND) else Path(keys)
        self._path = Path(keys) if isinstance(keys, os.PathLike) else None
        self._seen: object = self  # nothing that a file could look like
        self.trust = Trust() if isinstance(keys, os.PathLike) else trust.trusting(keys)
        self.look()
        if not self.trust.keys:
            raise Invalid("no key was given", hint="`lockgate key` shows the one by which a home signs.")

    def look(self) -> bool:
        """Whether the file says something else than before; it is in force from now on.

        Raises:
            Invalid, InvalidInput: it cannot be used: the former content holds.
        """
        if self._path is None:
            return False
        stamp = _stamp(self._path)
        if stamp == self._seen:
            return False
        found = trust.read(self._path)
        self._seen = stamp
        changed, self.trust = found != self.trust, found
        return changed


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None  # reading it says why
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size
