"""Reports in SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format), as far as they tell of vulnerable packages.

The standard has no place for a package, nor for a severity beyond error, warning and note. So the severity is the rule's
`security-severity` (a CVSS score; a convention of GitHub's code scanning that Trivy, Grype and OSV-Scanner keep), else UNKNOWN.
The package is taken from the message as Trivy and OSV-Scanner write it; else the file that the result names stands in its place.
What a report itself calls suppressed counts: here people waive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from lockgate.domain.vulnerabilities import Severity, Vulnerability
from lockgate.stages.decide.scans.cvss import rating
from lockgate.stages.decide.scans.names import cve_in
from lockgate.stages.decide.scans.told import Told, line, weakness

VERSION = "2.1.0"
_NO_FINDING = ("pass", "notApplicable", "informational")
_TRIVY = re.compile(r"Package: (\S+)\s+Installed Version: (\S+)(?:.*?Fixed Version: ([^\n]*))?", re.DOTALL)
_OSV_SCANNER = re.compile(r"Package '([^'@\s]{1,200})@([^'\s]{1,200})'")
_LONGEST_MESSAGE = 4000  # characters that are looked at


class Text(msgspec.Struct, frozen=True):
    text: str = ""


class Rule(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    short_description: Text = Text()
    properties: Any = None


class Driver(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    rules: tuple[Rule, ...] = ()


class Tool(msgspec.Struct, frozen=True):
    driver: Driver


class Place(msgspec.Struct, frozen=True):
    uri: str = ""


class Physical(msgspec.Struct, frozen=True, rename="camel"):
    artifact_location: Place = Place()


class Location(msgspec.Struct, frozen=True, rename="camel"):
    physical_location: Physical = Physical()


class Result(msgspec.Struct, frozen=True, rename="camel"):
    message: Text = Text()
    rule_id: str = ""
    rule_index: int = -1
    kind: str = "fail"
    locations: tuple[Location, ...] = ()


class Run(msgspec.Struct, frozen=True):
    tool: Tool
    results: tuple[Result, ...] | None = None


class Log(msgspec.Struct, frozen=True):
    version: str
    runs: tuple[Run, ...]


def read(content: bytes) -> Told:
    """Raises ValueError, msgspec.DecodeError if it is none."""
    log = msgspec.json.decode(content, type=Log)
    if log.version != VERSION:
        raise ValueError(f"version {log.version!r:.40} found, {VERSION} expected")
    tools = {line(run.tool.driver.name, 60).lower() for run in log.runs}
    if len(tools) != 1 or "" in tools:
        raise ValueError(f"runs of {len(tools)} tools found, those of one with a name expected")
    found = tuple(one for run in log.runs for one in _found(run))
    version = log.runs[0].tool.driver.version
    return Told(tools.pop(), line(f"version {version}" if version else ""), "", found)


def _found(run: Run) -> Iterator[Vulnerability]:
    by_id = {rule.id: rule for rule in run.tool.driver.rules}
    for result in run.results or ():
        if result.kind in _NO_FINDING:
            continue
        rule = by_id.get(result.rule_id) or _numbered(run, result.rule_index)
        identifier = result.rule_id or (rule.id if rule else "")
        package, version, fixed = _package(result)
        yield weakness(
            cve_in(identifier) or cve_in(result.message.text[:_LONGEST_MESSAGE]) or identifier,
            package,
            version,
            _severity(rule),
            fixed_in=fixed.split(","),
            title=rule.short_description.text if rule else "",
        )


def _numbered(run: Run, index: int) -> Rule | None:
    rules = run.tool.driver.rules
    return rules[index] if 0 <= index < len(rules) else None


def _severity(rule: Rule | None) -> Severity:
    said = rule.properties.get("security-severity") if rule and isinstance(rule.properties, dict) else None
    try:
        return rating(float(said)) if isinstance(said, str | float | int) else Severity.UNKNOWN
    except ValueError:
        return Severity.UNKNOWN


def _package(result: Result) -> tuple[str, str, str]:
    """Name, version, versions without it."""
    text = result.message.text[:_LONGEST_MESSAGE]
    if match := _TRIVY.search(text):
        return match[1], match[2], match[3] or ""
    if match := _OSV_SCANNER.search(text):
        return match[1], match[2], ""
    place = next((one.physical_location.artifact_location.uri for one in result.locations), "")
    return place or "unnamed", "", ""
