"""The keys of callers in a file of the home, which its owner alone may read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lockgate.boundary.key_file import KeyFile
from lockgate.boundary.keys import MOST_KEYS, Key, encode
from lockgate.integrations.local.private_file import replace_private
from lockgate.kernel.errors import Conflict


@dataclass(frozen=True, slots=True)
class LocalKeys:
    """A ports.keys.KeyStore."""

    path: Path

    def read(self) -> Sequence[Key] | None:
        file = KeyFile(self.path)
        file.refresh()
        return tuple(file.keys.values()) if file.there else None

    def write(self, keys: Sequence[Key]) -> None:
        """On the disk when it returns: a key that was revoked does not come back with the power."""
        if len(keys) > MOST_KEYS:
            raise Conflict(f"{len(keys)} keys found, at most {MOST_KEYS} expected", hint="Share keys among callers of one kind.")
        replace_private(self.path, encode(keys))
