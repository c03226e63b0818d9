"""Trivy's own report: `trivy image|fs|sbom … --format json`, SchemaVersion 2 (trivy.dev, "Reporting")."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lockgate.domain.vulnerabilities import Vulnerability
from lockgate.stages.decide.scans.names import severity_named
from lockgate.stages.decide.scans.told import Told, line, weakness

_SCHEMA = 2
_PYTHON = ("python-pkg", "pip", "pipenv", "poetry", "uv")  # its types of Python distributions


class Finding(msgspec.Struct, frozen=True, rename="pascal"):
    """FixedVersion: several with commas between them."""

    vulnerability_id: str = msgspec.field(name="VulnerabilityID")
    pkg_name: str
    severity: str
    installed_version: str = ""
    fixed_version: str = ""
    title: str = ""
    vendor_ids: tuple[str, ...] = msgspec.field(name="VendorIDs", default=())


class Result(msgspec.Struct, frozen=True, rename="pascal"):
    type: str = ""
    vulnerabilities: tuple[Finding, ...] | None = None


class Report(msgspec.Struct, frozen=True, rename="pascal"):
    schema_version: int
    artifact_name: str
    artifact_type: str = ""
    created_at: str = ""
    results: tuple[Result, ...] | None = None


def read(content: bytes) -> Told:
    """Raises ValueError, msgspec.DecodeError if it is none. Its database's state does not stand in the report."""
    report = msgspec.json.decode(content, type=Report)
    if report.schema_version != _SCHEMA:
        raise ValueError(f"SchemaVersion {report.schema_version} found, {_SCHEMA} expected")
    at = f"report of {report.created_at}" if report.created_at else ""
    subject = f"{report.artifact_type or 'artifact'} {report.artifact_name}"
    return Told("trivy", line(at), line(subject), tuple(_found(report)))


def _found(report: Report) -> Iterator[Vulnerability]:
    for result in report.results or ():
        for one in result.vulnerabilities or ():
            yield weakness(
                one.vulnerability_id,
                one.pkg_name,
                one.installed_version,
                severity_named(one.severity),
                fixed_in=one.fixed_version.split(","),
                aliases=one.vendor_ids,
                title=one.title,
                python=result.type in _PYTHON,
            )
