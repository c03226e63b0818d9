"""Reports of other scanners, told apart by what is in them, and read strictly: what cannot be read for certain is refused.

A report comes from outside. It is bounded in size and in the number of its findings, and all text of it in length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from lockgate.domain.vulnerabilities import Vulnerability
from lockgate.kernel.errors import Invalid
from lockgate.stages.decide.scans import clair, grype, sarif, trivy
from lockgate.stages.decide.scans.names import OWN_TOOLS, merged
from lockgate.stages.decide.scans.told import Told

LARGEST = 64 << 20  # bytes
_MOST = 50_000  # findings
_KINDS: tuple[tuple[frozenset[str], str, Callable[[bytes], Told]], ...] = (
    (frozenset({"SchemaVersion", "ArtifactName"}), "Trivy JSON", trivy.read),
    (frozenset({"matches", "descriptor"}), "Grype JSON", grype.read),
    (frozenset({"package_vulnerabilities", "vulnerabilities"}), "Clair JSON", clair.read),
    (frozenset({"runs", "version"}), "SARIF", sarif.read),
)


@dataclass(frozen=True, slots=True)
class Report:
    """As in domain.vulnerabilities.Scan."""

    tool: str
    database: str
    subject: str
    found: tuple[Vulnerability, ...]


def read(content: bytes) -> Report:
    """
    Raises:
        Invalid: it is none of the known reports, or it is one and broken, or too large.
    """  # noqa: D212 - there is nothing else to say
    if len(content) > LARGEST:
        raise Invalid(f"a report of {len(content):,} bytes found, at most {LARGEST:,} expected")
    keys = _keys(content)
    for needed, kind, reader in _KINDS:
        if needed <= keys:
            return _report(kind, reader, content)
    known = ", ".join(kind for _, kind, _ in _KINDS)
    what = f"a report with {', '.join(sorted(keys)[:8])!r:.200}" if keys else "an empty report"
    raise Invalid(f"{what} found, one of {known} expected", hint=_HINT)


_HINT = "Write it with: trivy … --format json · grype … -o json · clairctl report --out json … · or as SARIF 2.1.0."


def _keys(content: bytes) -> frozenset[str]:
    try:
        return frozenset(msgspec.json.decode(content, type=dict[str, msgspec.Raw]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"a report in JSON expected: {error!s:.300}", hint=_HINT) from error


def _report(kind: str, reader: Callable[[bytes], Told], content: bytes) -> Report:
    try:
        told = reader(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Invalid(f"{kind} found, which cannot be read: {error!s:.300}", hint=_HINT) from error
    if told.tool in OWN_TOOLS:
        raise Invalid(f"{kind} of {told.tool!r} found, whose findings are not taken from files", hint="Ask it: lockgate scan")
    if len(told.found) > _MOST:
        raise Invalid(f"{kind} with {len(told.found):,} findings found, at most {_MOST:,} expected")
    return Report(told.tool, told.database, told.subject, merged(told.found))
