"""Pointers of channels in a folder: `MODEL@ENVIRONMENT.json`, which everybody may read; what they say is signed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from lockgate.boundary.pointers import parse_channel
from lockgate.integrations.local.durable import flush_folder
from lockgate.kernel.errors import Invalid, Unavailable

SUFFIX = ".json"
_UNFINISHED = ".unfinished-"
_MODE = 0o644


@dataclass(frozen=True, slots=True)
class LocalChannels:
    """A ports.channels.ChannelStore, for any number of processes at once."""

    folder: Path

    def path(self, channel: str) -> Path:
        parse_channel(channel)
        return self.folder / (channel + SUFFIX)

    def names(self) -> Sequence[str]:
        found = (path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*@*{SUFFIX}"))
        return sorted(name for name in found if _is_channel(name))

    def read(self, channel: str) -> bytes | None:
        try:
            return self.path(channel).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"{self.path(channel)} cannot be read: {error.strerror}") from error

    def write(self, channel: str, content: bytes) -> None:
        path = self.path(channel)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _replace(path, content)
        except OSError as error:
            raise Unavailable(
                f"the pointer of {channel} cannot be kept in {self.folder}: {error.strerror}", hint="Check its space and rights."
            ) from error


def _replace(path: Path, content: bytes) -> None:
    with NamedTemporaryFile(dir=path.parent, prefix=_UNFINISHED, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), _MODE)
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        finally:
            with suppress(FileNotFoundError):  # finished: it has its name
                Path(file.name).unlink()
    flush_folder(path.parent)


def _is_channel(name: str) -> bool:
    try:
        parse_channel(name)
    except Invalid:
        return False
    return True
