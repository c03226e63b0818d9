"""A snapshot of the OSV database, on the disk: the export of one ecosystem (`PyPI/all.zip`), or a folder of such records.

Nobody is asked anything. What is not in the snapshot is not known: how old it is, is its newest record's time.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zlib import error as DeflateError  # noqa: N812 - it is a class

from packaging.version import InvalidVersion

from lockgate.domain.distributions import Distribution
from lockgate.domain.vulnerabilities import Found, Vulnerability
from lockgate.integrations.osv.index import LARGEST, index_of, later
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Corrupt, Unavailable
from lockgate.stages.decide.scans.names import merged
from lockgate.stages.decide.scans.osv import Record, against, decode, distributions_of

TOOL = "osv"
_HINT = "Fetch the PyPI export of OSV again (all.zip), and put it there whole."


class OsvSnapshot:
    """A ports.vulnerabilities.VulnerabilityScanner. path: of the zip file or the folder."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def scan(self, packages: Sequence[Distribution]) -> Found:
        try:
            if self._path.is_dir():
                return self._held(packages, *_from_folder(self._path, {one.name for one in packages}, self._clock.now()))
            with zipfile.ZipFile(self._path) as archive:
                return self._held(packages, *self._from_archive(archive, packages))
        except (zipfile.BadZipFile, DeflateError, EOFError, NotImplementedError, RuntimeError) as error:
            raise Unavailable(f"the snapshot {self._path} is no whole archive: {error}", hint=_HINT) from error
        except Corrupt as error:
            raise Unavailable(f"the snapshot {self._path} cannot be read: {error.message}", hint=error.hint or _HINT) from error
        except OSError as error:
            raise Unavailable(f"the snapshot {self._path} cannot be read: {error.strerror or error}", hint=_HINT) from error

    def _from_archive(self, archive: zipfile.ZipFile, packages: Sequence[Distribution]) -> tuple[list[Record], int, datetime]:
        index = index_of(self._path, archive, self._clock.now())
        wanted = sorted({member for one in packages for member in index.members.get(one.name, ())})
        try:
            records = [decode(archive.read(member), member) for member in wanted]
        except KeyError as error:
            raise Corrupt(f"its index names a record that is not in it: {error}", hint="Remove the .index beside it.") from error
        return records, index.records, datetime.fromtimestamp(index.newest, UTC)

    def _held(self, packages: Sequence[Distribution], records: Sequence[Record], known: int, as_of: datetime) -> Found:
        found = [told for record in records for one in packages if (told := _against(record, one)) is not None]
        database = f"a snapshot of OSV with {known:,} records, the newest of {as_of:%Y-%m-%d %H:%M} UTC"
        whole = merged(found)
        return Found(TOOL, database, as_of, whole, _report(database, packages, whole))


def _against(record: Record, one: Distribution) -> Vulnerability | None:
    try:
        return against(record, one)
    except InvalidVersion as error:
        hint = "Pin a version that follows PEP 440."
        raise Unavailable(
            f"whether {one.name} {one.version} is meant by {record.id} cannot be told: {error}", hint=hint
        ) from error


def _from_folder(folder: Path, names: set[str], now: datetime) -> tuple[list[Record], int, datetime]:
    """Read whole each time: for small collections of one's own."""
    found: list[Record] = []
    known, newest = 0, 0.0
    for path in sorted(folder.rglob("*.json")):
        if path.stat().st_size > LARGEST:
            raise Corrupt(f"record {path.name} is larger than {LARGEST:,} bytes")
        record = decode(path.read_bytes(), path.name)
        known += 1
        newest = later(newest, record.modified, now)
        if not names.isdisjoint(distributions_of(record)):
            found.append(record)
    if not known or not newest:
        raise Corrupt("it has no OSV records with a time of change")
    return found, known, datetime.fromtimestamp(newest, UTC)


def _report(database: str, packages: Sequence[Distribution], found: Sequence[Vulnerability]) -> bytes:
    told = {
        "tool": TOOL,
        "database": database,
        "packages": [one.purl for one in packages],
        "vulnerabilities": [
            {
                "id": one.id,
                "aliases": list(one.aliases),
                "package": one.package,
                "version": one.version,
                "severity": one.severity.name,
                "fixed_in": list(one.fixed_in),
                "title": one.title,
            }
            for one in found
        ],
    }
    return json.dumps(told, indent=1, sort_keys=True).encode()
