"""What scanners found of a version, as the REST API answers."""

from __future__ import annotations

from datetime import datetime

from lockgate.entrypoints.api.shapes.basics import Shape
from lockgate.entrypoints.reading.scans import ScanNow, Word


class Weakness(Shape):
    """id: its CVE number where it has one. counts: it stands in the version's way by its gate, and no waiver holds.

    waived_until: while a waiver holds; else null.
    """

    id: str
    aliases: list[str]
    package: str
    version: str
    severity: Word
    fixed_in: list[str]
    title: str
    counts: bool
    waived_until: datetime | None


class Scan(Shape):
    """The last one of its tool. report: digest of the report as it came. found: the worst first."""

    tool: str
    subject: str
    database: str
    at: datetime
    by: str
    report: str
    found: list[Weakness]


class Scans(Shape):
    scans: list[Scan]


def scan_shape(one: ScanNow) -> Scan:
    scan = one.scan
    found = [
        Weakness(
            id=weak.found.id,
            aliases=list(weak.found.aliases),
            package=weak.found.package,
            version=weak.found.version,
            severity=weak.severity,
            fixed_in=list(weak.found.fixed_in),
            title=weak.found.title,
            counts=weak.counts,
            waived_until=weak.until,
        )
        for weak in one.weak
    ]
    return Scan(
        tool=scan.tool, subject=scan.subject, database=scan.database, at=scan.at, by=scan.by, report=scan.report, found=found
    )
