"""Clair's report of an image: a VulnerabilityReport of Clair 4, `clairctl report --out json` (quay.github.io/clair)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lockgate.domain.vulnerabilities import Vulnerability
from lockgate.stages.decide.scans.names import cve_in, severity_named
from lockgate.stages.decide.scans.told import Told, line, weakness


class Package(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    kind: str = ""


class Finding(msgspec.Struct, frozen=True):
    """name: such as CVE-2009-5155, or a distributor's own. normalized_severity: Unknown, Negligible, Low, … Critical."""

    name: str
    normalized_severity: str = ""
    description: str = ""
    fixed_in_version: str = ""
    links: str = ""
    updater: str = ""


class Report(msgspec.Struct, frozen=True):
    """packages, vulnerabilities: by their ids. package_vulnerabilities: by the package's id those of what it has."""

    manifest_hash: str
    packages: dict[str, Package]
    vulnerabilities: dict[str, Finding]
    package_vulnerabilities: dict[str, tuple[str, ...]]


def read(content: bytes) -> Told:
    """Raises ValueError, msgspec.DecodeError if it is none. Its database's state does not stand in the report."""
    report = msgspec.json.decode(content, type=Report)
    return Told("clair", "", line(f"image {report.manifest_hash}"), tuple(_found(report)))


def _found(report: Report) -> Iterator[Vulnerability]:
    for package_id, found in report.package_vulnerabilities.items():
        for finding_id in found:
            package, one = report.packages.get(package_id), report.vulnerabilities.get(finding_id)
            if package is None or one is None:
                what = f"package {package_id!r:.60}" if package is None else f"vulnerability {finding_id!r:.60}"
                raise ValueError(f"it names {what}, which does not stand in it")
            number = cve_in(one.name)
            yield weakness(
                number or one.name,
                package.name,
                package.version,
                severity_named(one.normalized_severity),
                fixed_in=(one.fixed_in_version,),
                aliases=(one.name,) if len(one.name.split()) == 1 else (),
                title=one.description,
            )
