"""Which records of a snapshot speak of which distribution: made once for each snapshot, and kept beside it.

`all.zip.index` belongs to the file whose size and time of change it names; to any other it is nothing, and is made anew.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from lockgate.kernel.errors import Corrupt
from lockgate.stages.decide.scans.osv import decode, distributions_of

SUFFIX = ".index"
FORMAT = 1
LARGEST = 16 << 20  # bytes of a record
_MOST = 2_000_000  # records
_SKEW = timedelta(days=1)  # a record from further in the future says nothing of the snapshot's age


class Index(msgspec.Struct, frozen=True):
    """size, changed: of the snapshot, bytes and nanoseconds. newest: when its newest record was changed, Unix seconds.

    members: by distribution the names of the records that speak of it.
    """

    size: int
    changed: int
    newest: float
    records: int
    members: dict[str, list[str]]
    format: int = FORMAT


def index_of(path: Path, archive: zipfile.ZipFile, now: datetime) -> Index:
    """
    Raises:
        Corrupt: a record cannot be read, or there is none.
    """  # noqa: D212 - there is nothing else to say
    status = path.stat()
    kept = _kept(path)
    if kept is not None and (kept.size, kept.changed, kept.format) == (status.st_size, status.st_mtime_ns, FORMAT):
        return kept
    made = _made(path, archive, now)
    with suppress(OSError):  # where nothing may be written, it is made each time
        _keep(path, made)
    return made


def records_in(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """Raises Corrupt if they are too many, or one is too large."""
    found = [one for one in archive.infolist() if one.filename.endswith(".json")]
    if len(found) > _MOST:
        raise Corrupt(f"{len(found):,} records found, at most {_MOST:,} expected")
    for one in found:
        if one.file_size > LARGEST:
            raise Corrupt(f"record {one.filename!r:.100} of {one.file_size:,} bytes found, at most {LARGEST:,} expected")
        yield one


def _made(path: Path, archive: zipfile.ZipFile, now: datetime) -> Index:
    status = path.stat()
    members: dict[str, list[str]] = {}
    newest, count = 0.0, 0
    for info in records_in(archive):
        record = decode(archive.read(info), info.filename)
        count += 1
        newest = later(newest, record.modified, now)
        for name in distributions_of(record):
            members.setdefault(name, []).append(info.filename)
    if not count or not newest:
        raise Corrupt(f"{path} has no OSV records with a time of change", hint="Fetch the PyPI export of OSV again: all.zip")
    return Index(status.st_size, status.st_mtime_ns, newest, count, members)


def later(newest: float, modified: datetime | None, now: datetime) -> float:
    """The later of both, Unix seconds; what lies in the future does not count. A time without a zone is UTC."""
    at = modified.replace(tzinfo=modified.tzinfo or UTC) if modified is not None else None
    return max(newest, at.timestamp()) if at is not None and at <= now + _SKEW else newest


def _kept(path: Path) -> Index | None:
    try:
        return msgspec.msgpack.decode(Path(f"{path}{SUFFIX}").read_bytes(), type=Index)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _keep(path: Path, index: Index) -> None:
    """Whole or not at all."""
    draft = path.with_name(f".{path.name}{SUFFIX}.{os.getpid()}")
    try:
        draft.write_bytes(msgspec.msgpack.encode(index))
        draft.replace(f"{path}{SUFFIX}")
    finally:
        draft.unlink(missing_ok=True)
