"""Records of the Open Source Vulnerability format, held against Python distributions.

The format and its evaluation: OSV Schema 1.7, ossf.github.io/osv-schema, "Evaluation". Versions are ordered by PEP 440. Ranges of
type ECOSYSTEM and SEMVER count, GIT does not: it speaks of commits. Where a record cannot be read for certain it speaks against
the version: an `introduced` that is no version counts as from the beginning, a `fixed` that is none ends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from packaging.version import InvalidVersion, Version

from lockgate.domain.distributions import Distribution, normalised
from lockgate.domain.vulnerabilities import Severity, Vulnerability
from lockgate.kernel.errors import Corrupt
from lockgate.stages.decide.scans.cvss import base_score, rating
from lockgate.stages.decide.scans.names import severity_named, worse
from lockgate.stages.decide.scans.told import weakness

ECOSYSTEM = "PyPI"
_RANGES = ("ECOSYSTEM", "SEMVER")
_VERSION_3 = "CVSS_V3"
_FIRST = Version("0.dev0")  # before all others
_INTRODUCED, _FIXED, _LAST = 0, 1, 2  # in this order where they name the same version


class Rating(msgspec.Struct, frozen=True):
    """type: CVSS_V2, CVSS_V3, CVSS_V4, …; score: a vector."""

    type: str = ""
    score: str = ""


class Package(msgspec.Struct, frozen=True):
    name: str = ""
    ecosystem: str = ""


class Point(msgspec.Struct, frozen=True):
    """One event of a range; one of them is said."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None


class Range(msgspec.Struct, frozen=True):
    type: str = ""
    events: tuple[Point, ...] = ()


class Affected(msgspec.Struct, frozen=True):
    package: Package | None = None
    ranges: tuple[Range, ...] | None = None
    versions: tuple[str, ...] | None = None
    severity: tuple[Rating, ...] | None = None
    database_specific: Any = None
    ecosystem_specific: Any = None

    @property
    def distribution(self) -> str | None:
        """The distribution that it speaks of; None: it speaks of no Python distribution."""
        if self.package is None or self.package.ecosystem.partition(":")[0] != ECOSYSTEM:
            return None
        return normalised(self.package.name)


class Record(msgspec.Struct, frozen=True):
    id: str
    modified: datetime | None = None
    withdrawn: str | None = None
    aliases: tuple[str, ...] | None = None
    summary: str | None = None
    details: str | None = None
    severity: tuple[Rating, ...] | None = None
    affected: tuple[Affected, ...] | None = None
    database_specific: Any = None


_decoder = msgspec.json.Decoder(Record)


def decode(content: bytes, what: str) -> Record:
    """Raises Corrupt if it is no OSV record."""
    try:
        record = _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Corrupt(f"{what} is no OSV record: {error!s:.300}", hint="Fetch it again, whole.") from error
    if not record.id.strip():
        raise Corrupt(f"{what} is no OSV record: it has no id", hint="Fetch it again, whole.")
    return record


def distributions_of(record: Record) -> set[str]:
    """Those that it speaks of, normalised; none, where it was withdrawn."""
    if record.withdrawn is not None:
        return set()
    return {name for one in record.affected or () if (name := one.distribution) is not None}


def against(record: Record, distribution: Distribution) -> Vulnerability | None:
    """What the record says of this distribution in this version; None: nothing, or it was withdrawn.

    Raises:
        InvalidVersion: the distribution's version is none of PEP 440, and the record does not list it by its letters.
    """
    if record.withdrawn is not None:
        return None
    meant = [one for one in record.affected or () if one.distribution == distribution.name]
    hits = [one for one in meant if affects(one, distribution.version)]
    if not hits:
        return None
    severity = Severity.UNKNOWN
    for one in hits:
        severity = worse(severity, severity_of(record, one))
    return weakness(
        record.id,
        distribution.name,
        distribution.version,
        severity,
        fixed_in=_fixes(hits, distribution),
        aliases=record.aliases or (),
        title=record.summary or (record.details or "").partition("\n")[0],
        python=True,
    )


def affects(affected: Affected, version: str) -> bool:
    """By the versions that it lists, or by its ranges. A local version (`2.8.0+cpu`) is also what its public part is."""
    if version in (affected.versions or ()):
        return True
    own = Version(version)
    same = {own, Version(own.public)}
    if any(_version(one) in same for one in affected.versions or ()):
        return True
    return any(_inside(one, own) for one in affected.ranges or () if one.type in _RANGES)


def severity_of(record: Record, affected: Affected | None = None) -> Severity:
    """The database's own word, else the highest score of its CVSS version 3 vectors, else UNKNOWN."""
    for place in (record.database_specific, *((affected.ecosystem_specific, affected.database_specific) if affected else ())):
        word = place.get("severity") if isinstance(place, dict) else None
        if isinstance(word, str) and (said := severity_named(word)) is not Severity.UNKNOWN:
            return said
    found = Severity.UNKNOWN
    for one in (*(record.severity or ()), *((affected.severity or ()) if affected else ())):
        if one.type == _VERSION_3:
            found = worse(found, _scored(one.score))
    return found


def _scored(vector: str) -> Severity:
    try:
        return rating(base_score(vector))
    except ValueError:
        return Severity.UNKNOWN


def _inside(span: Range, version: Version) -> bool:
    limits = [found for one in span.events if (found := _version(one.limit)) is not None]
    if limits and version >= max(limits):
        return False
    inside = False
    for at, kind in sorted(_steps(span.events)):
        if kind == _INTRODUCED and version >= at:
            inside = True
        elif (kind == _FIXED and version >= at) or (kind == _LAST and version > at):
            inside = False
    return inside


def _steps(events: Iterable[Point]) -> Iterable[tuple[Version, int]]:
    for one in events:
        if one.introduced is not None:
            yield _version(one.introduced) or _FIRST, _INTRODUCED
        for text, kind in ((one.fixed, _FIXED), (one.last_affected, _LAST)):
            if (at := _version(text)) is not None:
                yield at, kind


def _fixes(hits: Iterable[Affected], distribution: Distribution) -> tuple[str, ...]:
    """Later versions without it, the nearest first."""
    try:
        own = Version(distribution.version)
    except InvalidVersion:
        return ()
    points = [point for one in hits for span in one.ranges or () if span.type in _RANGES for point in span.events]
    later = {at for point in points if (at := _version(point.fixed)) is not None and at > own}
    return tuple(map(str, sorted(later)))


@lru_cache(maxsize=65_536)
def _version(text: str | None) -> Version | None:
    """None: it is no version; so is the beginning, which the format spells `0`."""
    if text is None or text == "0":
        return None
    try:
        return Version(text)
    except InvalidVersion:
        return None
