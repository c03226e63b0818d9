"""Known weaknesses of what a version needs to run, as scanners report them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Severity(IntEnum):
    """In their order, so that they compare. UNKNOWN: nobody rated it; it counts as HIGH where a limit is set."""

    NONE = 0
    LOW = 1
    MEDIUM = 2
    UNKNOWN = 3
    HIGH = 4
    CRITICAL = 5


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """id: as its database names it, CVE-… where it has one. package, version: what was found. fixed_in: versions without it."""

    id: str
    package: str
    version: str
    severity: Severity
    fixed_in: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    title: str = ""

    @property
    def names(self) -> frozenset[str]:
        return frozenset((self.id, *self.aliases))


@dataclass(frozen=True, slots=True)
class Scan:
    """What one tool found in one version. tool: pip-audit, osv, trivy, grype, clair, or a SARIF report's own. report: digest of
    the report as it came, an artifact. database: which state of knowledge, as far as the tool says. subject: what was looked at.
    """

    model: str
    version: int
    tool: str
    found: tuple[Vulnerability, ...]
    report: str
    at: datetime
    by: str
    database: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of looking. as_of: how old the knowledge is that it was held against. report: as the tool gave it."""

    tool: str
    database: str
    as_of: datetime
    vulnerabilities: tuple[Vulnerability, ...]
    report: bytes
