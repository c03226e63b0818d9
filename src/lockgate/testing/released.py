"""Builders of what leaves the house: forms, scans, subscribers."""

from __future__ import annotations

from typing import Any

from lockgate.boundary.reports import Standing
from lockgate.boundary.routes import Revision
from lockgate.domain.forms import BuiltForm, Form
from lockgate.domain.subscribers import Subscriber
from lockgate.domain.vulnerabilities import Scan, Severity, Vulnerability
from lockgate.testing import builders as a
from lockgate.testing.clock import START


def built_form(**fields: Any) -> BuiltForm:
    defaults = {
        "model": a.MODEL,
        "version": 1,
        "form": Form.WHEEL,
        "digest": a.digest("wheel"),
        "file": "flight_delay-1-py3-none-any.whl",
        "size": 1_000_000,
        "rows": 20,
        "difference": 1e-9,
        "tolerance": 1e-6,
        "cold_start": 0.2,
        "environment": "a virtual environment of its own",
        "by": a.ANNA.name,
        "at": START,
    }
    return BuiltForm(**{**defaults, **fields})


def vulnerability(**fields: Any) -> Vulnerability:
    defaults = {"id": "CVE-2024-0001", "package": "numpy", "version": "2.2.0", "severity": Severity.HIGH}
    return Vulnerability(**{**defaults, **fields})


def scan(**fields: Any) -> Scan:
    defaults = {
        "model": a.MODEL,
        "version": 1,
        "tool": "pip-audit",
        "found": (vulnerability(),),
        "report": a.digest("report"),
        "at": START,
        "by": a.ANNA.name,
    }
    return Scan(**{**defaults, **fields})


def standing(**fields: Any) -> Standing:
    defaults = {"channel": f"{a.MODEL}@production", "host": "host-1", "revision": Revision(0, 1), "running": 1, "ready": (1,)}
    return Standing(**{**defaults, **fields})


def subscriber(**fields: Any) -> Subscriber:
    return Subscriber(
        **{"id": "subscriber/host-1/1", "model": a.MODEL, "seen_at": START.timestamp(), "standing": standing(), **fields}
    )
