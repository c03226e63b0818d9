"""A packaged model whose members lie in a folder, as in an image that runs, each under its own name."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import IO

from lockgate.boundary.checking import Members
from lockgate.kernel.digest import PREFIX
from lockgate.kernel.errors import Corrupt, Invalid

_MOST_MEMBERS = 10_000
_MOST_READ = 64 << 20  # bytes of a member that is read whole
_CHUNK = 1 << 20


class FolderSource:
    """An `unpacking.Source`."""

    def __init__(self, folder: Path) -> None:
        self.what = str(folder)
        self._folder = folder.resolve()

    def open(self, name: str) -> IO[bytes] | None:
        try:
            return (self._folder / name).open("rb")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Invalid(f"{self.what}: {name} cannot be read: {error.strerror}") from error

    def place(self, name: str) -> Path | None:
        return (self._folder / name).resolve()

    def members(self) -> Members:
        """All files in it, for a check of their signature. Folders that are links are not entered.

        Raises:
            Invalid: one is no file or cannot be read, or there are too many.
        """
        digests: dict[str, str] = {}
        sizes: dict[str, int] = {}
        for name in self._names():
            digests[name], sizes[name] = self._digest(name)
        return Members(digests, sizes, self._read)

    def _names(self) -> list[str]:
        found: list[str] = []
        for place, _, files in os.walk(self._folder):
            found += [(Path(place) / one).relative_to(self._folder).as_posix() for one in files]
            if len(found) > _MOST_MEMBERS:
                raise Invalid(f"{self.what}: more than {_MOST_MEMBERS} files found, so it is no packaged model")
        return sorted(found)

    def _digest(self, name: str) -> tuple[str, int]:
        """And its size."""
        state, size = sha256(), 0
        with self._opened(name) as file:
            while chunk := file.read(_CHUNK):
                state.update(chunk)
                size += len(chunk)
        return PREFIX + state.hexdigest(), size

    def _read(self, name: str) -> bytes:
        with self._opened(name) as file:
            content = file.read(_MOST_READ + 1)
        if len(content) > _MOST_READ:
            raise Corrupt(f"{self.what}: {name:.200} is larger than {_MOST_READ} bytes")
        return content

    def _opened(self, name: str) -> IO[bytes]:
        """Not what would never come to an end, as a pipe or a device."""
        file = self.open(name) if (self._folder / name).is_file() else None
        if file is None:
            raise Invalid(f"{self.what}: {name:.200} is no file")
        return file
