"""One file with many members, whose bytes follow from the members alone: the same on every machine, at every time.

It is a ZIP file, since wheels are: members by name, stored and not compressed (what a compressor gives differs from version to
version of its library), without times and owners. Who reads one makes it again and compares: so not one bit of it can be another.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import IO, Any

from lockgate.boundary.folder import check_names
from lockgate.kernel.errors import Corrupt, Invalid, NotFound

_EPOCH = (1980, 1, 1, 0, 0, 0)  # ZIP knows no earlier time
_MODE = 0o100644 << 16
_UNIX = 3
_UTF_8 = 0x800  # a flag: of the member's name
_CHUNK = 1 << 20
_MOST = 100_000  # members

Content = bytes | Path


def write(file: IO[bytes], members: Mapping[str, Content]) -> None:
    """Members in the order of their names. file: open for writing, empty. A path is read in pieces.

    Raises:
        Invalid: a name is no plain path below its folder.
    """
    check_names(members)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, strict_timestamps=True) as archive:
        for name in sorted(members):
            _add(archive, name, members[name])


@contextmanager
def reading(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, whose names were checked; nothing else of it is believed yet: see `check_canonical`.

    Raises:
        NotFound: there is no such file. Corrupt: it is no archive, is cut short, or has members that none of ours has.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive, path)
            yield archive
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise Corrupt(f"{path.name} is no whole archive: {error}", hint="It was cut short or altered: fetch it again.") from error


def check_canonical(path: Path, archive: zipfile.ZipFile) -> None:
    """Raises Corrupt if the file is not, bit for bit, what `write` makes of its members."""
    with path.open("rb") as file:
        written = _Compared(file)
        with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED, strict_timestamps=True) as again:
            for name in sorted(archive.namelist()):
                with archive.open(name) as source, again.open(_info(name, archive.getinfo(name).file_size), "w") as target:
                    copyfileobj(source, target, _CHUNK)
    if not written.same or written.size != path.stat().st_size:
        raise Corrupt(f"{path.name}: it is not what its members make it", hint="It was altered: fetch it again.")


class _Compared(io.RawIOBase):
    """Something to write to that only compares with what is there. A place that is written again is compared again."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._at = 0
        self._wrong: set[int] = set()
        self.size = 0

    @property
    def same(self) -> bool:
        return not self._wrong

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence] + offset
        return self._at

    def write(self, content: Any) -> int:
        said = bytes(content)
        self._file.seek(self._at)
        if self._file.read(len(said)) == said:
            self._wrong.discard(self._at)
        else:
            self._wrong.add(self._at)
        self._at += len(said)
        self.size = max(self.size, self._at)
        return len(said)


def _add(archive: zipfile.ZipFile, name: str, content: Content) -> None:
    if isinstance(content, bytes):
        archive.writestr(_info(name, len(content)), content)
        return
    with content.open("rb") as source, archive.open(_info(name, content.stat().st_size), "w") as target:
        copyfileobj(source, target, _CHUNK)


def _info(name: str, size: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_STORED
    info.create_system = _UNIX
    info.external_attr = _MODE
    info.file_size = size
    return info


def _check(archive: zipfile.ZipFile, path: Path) -> None:
    names = archive.namelist()
    if sum(one.file_size for one in archive.infolist()) > path.stat().st_size:  # reading on and on what stands there once
        raise Corrupt(f"{path.name}: its members say that they are larger than the file")
    if any(one.header_offset < 0 for one in archive.infolist()):
        raise Corrupt(f"{path.name}: its table of contents points before its beginning")
    if len(names) > _MOST:
        raise Corrupt(f"{path.name}: {len(names)} members found, at most {_MOST} expected")
    if len(set(names)) < len(names):
        raise Corrupt(f"{path.name}: a member stands in it twice")
    try:
        check_names(names)
    except Invalid as error:
        raise Corrupt(f"{path.name}: {error.message}") from error
    if odd := [one.filename for one in archive.infolist() if one.compress_type != zipfile.ZIP_STORED or one.flag_bits & ~_UTF_8]:
        raise Corrupt(f"{path.name}: {odd[0]!r:.100} is compressed or encrypted, which no member of ours is")
