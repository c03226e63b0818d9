"""Layers whose bytes follow from their files alone: tar files, sorted, without times, owners or anything of the machine.

They are not compressed on purpose: what gzip gives depends on the release of its library, and registries and engines compress on
their way anyhow. Format: GNU tar as Python's `tarfile` writes it, which every engine reads, and which has no extended headers.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from lockgate.boundary.folder import check_names
from lockgate.kernel.digest import PREFIX
from lockgate.kernel.errors import Invalid

_FILE, _PROGRAM, _FOLDER = 0o644, 0o755, 0o755
_EXECUTABLE = 0o100
_WHITEOUT = ".wh."  # begins the names that make an engine remove files of the layers below


class Member(NamedTuple):
    """A file of a layer. content: itself, or where it lies. program: may be executed."""

    content: bytes | Path
    program: bool = False


Members = Mapping[str, Member]
"""By path in the image, without the slash before it."""


def file_of(path: Path) -> Member:
    return Member(path, program=bool(path.stat().st_mode & _EXECUTABLE))


def write(file: IO[bytes], members: Members) -> str:
    """The layer's digest, which is that of its content too.

    Raises:
        Invalid: a name is no plain path, or would remove files of other layers.
    """
    check_names(members)
    if hiding := [name for name in members if any(part.startswith(_WHITEOUT) for part in name.split("/"))]:
        raise Invalid(f"file name {hiding[0]!r:.100} found: in an image, {_WHITEOUT} stands for a file that is removed")
    hashing = _Hashing(file)
    with tarfile.open(fileobj=hashing, mode="w|", format=tarfile.GNU_FORMAT, encoding="utf-8") as archive:
        for name in sorted({*members, *_folders(members)}):
            _add(archive, name, members.get(name))
    return hashing.digest


def _folders(members: Members) -> set[str]:
    return {str(parent) for name in members for parent in PurePosixPath(name).parents if str(parent) != "."}


def _add(archive: tarfile.TarFile, name: str, member: Member | None) -> None:
    info = tarfile.TarInfo(name)  # time 0, owner 0, no names
    if member is None:
        info.type, info.mode = tarfile.DIRTYPE, _FOLDER
        archive.addfile(info)
        return
    info.mode = _PROGRAM if member.program else _FILE
    if isinstance(member.content, bytes):
        info.size = len(member.content)
        archive.addfile(info, io.BytesIO(member.content))
        return
    with member.content.open("rb") as source:
        info.size = member.content.stat().st_size
        archive.addfile(info, source)


class _Hashing(io.RawIOBase):
    """Writes on, and knows the digest of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._state = sha256()

    @property
    def digest(self) -> str:
        return PREFIX + self._state.hexdigest()

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]
        self._state.update(content)
        return self._file.write(content)
