"""Prediction records from the segment files that the data plane's workers append to.

A worker may be killed at any byte. A torn tail stays where it is until more bytes come; a file whose worker is gone is read to
its last whole record and then costs one `stat` at each read. A frame that is whole and damaged ends its file: what stands behind
it cannot be told from noise. Workers remove the oldest files when their folder is full: one that vanishes, at whatever moment,
has no more to give.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from lockgate.boundary.records import HEADER, Record, frames
from lockgate.ports.records import Batch, Cursor

_CHUNK = 8 << 20
_log = logging.getLogger(__name__)


class _Place(NamedTuple):
    """How far a file was read, and how long it was when it had no more to give."""

    offset: int = 0
    exhausted_at: int = -1


@dataclass(frozen=True, slots=True)
class LocalRecords:
    """Tails `*.seg` in `folder`. The cursor is {file name: [offset, length at which it was exhausted]}.

    limit: records for one read, shared fairly among the files that have any.
    """

    folder: Path
    limit: int = 20_000

    def read(self, cursor: Cursor) -> Batch:
        sizes = _sizes(self.folder)
        places = {name: _Place(*cursor.get(name, ())) for name in sizes}
        grown = [name for name, place in places.items() if sizes[name] > max(place.offset, place.exhausted_at)]
        records: list[Record] = []
        for done, name in enumerate(grown):
            share = (self.limit - len(records)) // (len(grown) - done)
            found, places[name] = _read(self.folder / name, places[name], sizes[name], share)
            records.extend(found)
        return Batch(tuple(records), {name: list(place) for name, place in places.items()})


def _sizes(folder: Path) -> dict[str, int]:
    sizes = {}
    for path in sorted(folder.glob("*.seg")):
        with suppress(FileNotFoundError):
            sizes[path.name] = path.stat().st_size
    return sizes


def _read(path: Path, place: _Place, size: int, share: int) -> tuple[list[Record], _Place]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return [], place
    with file:
        return _read_from(file, path, place, size, share)


def _read_from(file: BinaryIO, path: Path, place: _Place, size: int, share: int) -> tuple[list[Record], _Place]:
    records: list[Record] = []
    offset = place.offset
    while len(records) < share:
        chunk = _chunk(file, offset, size)
        taken, records_before = 0, len(records)
        for end, record in frames(chunk):
            records.append(record)
            taken = end
            if len(records) == share:
                return records, _Place(offset + taken)
        offset += taken
        if len(records) == records_before:
            _warn_of_damage(path, offset, chunk)
            return records, _Place(offset, size)
    return records, place._replace(offset=offset)


def _chunk(file: BinaryIO, offset: int, size: int) -> bytes:
    """From `offset` on: some megabytes, or as many as the one frame that begins there needs. Never behind `size`."""
    file.seek(offset)
    content = file.read(min(_CHUNK, size - offset))
    if len(content) < HEADER.size:
        return content
    needed: int = HEADER.unpack_from(content)[0] + HEADER.size
    return content + file.read(max(0, min(needed, size - offset) - len(content)))


def _warn_of_damage(path: Path, offset: int, chunk: bytes) -> None:
    if len(chunk) >= HEADER.size and len(chunk) >= HEADER.unpack_from(chunk)[0] + HEADER.size:
        details: dict[str, Any] = {"segment": path.name, "offset": offset}
        _log.warning("a prediction record is damaged: the rest of its segment cannot be read", extra=details)
