"""Grype's own report: `grype … -o json` (github.com/anchore/grype, grype/presenter/models)."""

from __future__ import annotations

from typing import Any

import msgspec

from lockgate.domain.vulnerabilities import Vulnerability
from lockgate.stages.decide.scans.names import severity_named
from lockgate.stages.decide.scans.told import Told, line, weakness

_PYTHON = "python"


class Fix(msgspec.Struct, frozen=True):
    versions: tuple[str, ...] | None = None


class Named(msgspec.Struct, frozen=True):
    id: str
    severity: str = ""
    description: str = ""
    fix: Fix = Fix()


class Artifact(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    type: str = ""


class Match(msgspec.Struct, frozen=True, rename="camel"):
    vulnerability: Named
    artifact: Artifact
    related_vulnerabilities: tuple[Named, ...] | None = None


class Source(msgspec.Struct, frozen=True):
    """target: of an image a mapping with `userInput`, of a folder its path."""

    type: str = ""
    target: Any = None


class Descriptor(msgspec.Struct, frozen=True):
    """db: with `built`, since 0.88 below `status`."""

    name: str
    version: str = ""
    db: Any = None


class Report(msgspec.Struct, frozen=True):
    descriptor: Descriptor
    matches: tuple[Match, ...] | None = None
    source: Source = Source()


def read(content: bytes) -> Told:
    """Raises ValueError, msgspec.DecodeError if it is none."""
    report = msgspec.json.decode(content, type=Report)
    if report.descriptor.name != "grype":
        raise ValueError(f"a report of {line(report.descriptor.name, 60)!r} found, grype's expected")
    built = _built(report.descriptor.db)
    return Told(
        "grype",
        line(f"database of {built}" if built else ""),
        line(f"{report.source.type} {_target(report.source.target)}"),
        tuple(map(_weakness, report.matches or ())),
    )


def _weakness(match: Match) -> Vulnerability:
    found = match.vulnerability
    return weakness(
        found.id,
        match.artifact.name,
        match.artifact.version,
        severity_named(found.severity),
        fixed_in=found.fix.versions or (),
        aliases=[one.id for one in match.related_vulnerabilities or ()],
        title=found.description,
        python=match.artifact.type == _PYTHON,
    )


def _built(db: Any) -> str:
    places = (db, db.get("status")) if isinstance(db, dict) else ()
    return next((place["built"] for place in places if isinstance(place, dict) and isinstance(place.get("built"), str)), "")


def _target(target: Any) -> str:
    said = target.get("userInput") if isinstance(target, dict) else target
    return said if isinstance(said, str) else ""
