"""Whose signatures a subscriber believes: keys that it was given, or a file of them that is read again when it changes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from lockgate.boundary import trust
from lockgate.boundary.public_keys import KIND
from lockgate.boundary.trust import Trust
from lockgate.kernel.errors import Invalid

_HINT = "Give an `ed25519:…`, several, or the path of a file of them; `lockgate key list` prints such a file."

Keys = str | os.PathLike[str] | Iterable[str]


class Keyring:
    """keys: `ed25519:…`, several of them, or the path of a file of them, see boundary.trust.

    Raises:
        Invalid: there is no key, or the file cannot be read. InvalidInput: what is there is none.
    """

    def __init__(self, keys: Keys) -> None:
        if isinstance(keys, str):
            keys = keys.strip()
            if not keys:
                raise Invalid("no key was given: keys is empty", hint=_HINT)
            keys = [keys] if keys.startswith(KIND) else Path(keys)
        self._path = Path(keys) if isinstance(keys, os.PathLike) else None
        self._seen: object = self  # nothing that a file could look like
        self.trust = Trust() if isinstance(keys, os.PathLike) else trust.trusting(keys)
        self.look()
        if not self.trust.keys:
            raise Invalid(f"{self._path} names no key" if self._path else "no key was given", hint=_HINT)

    @property
    def changes(self) -> bool:
        """Whether it is a file, which may say something else at any time."""
        return self._path is not None

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
