"""Who knows of vulnerabilities here: a snapshot, if there is one, else whoever can be asked."""

from __future__ import annotations

import os
from pathlib import Path

from lockgate.integrations.image_scanners.programs import ImageScanners
from lockgate.integrations.osv.snapshot import OsvSnapshot
from lockgate.integrations.pip_audit.scanner import PipAudit
from lockgate.kernel.clock import Clock
from lockgate.ports import vulnerabilities
from lockgate.wiring.home import Home

VARIABLE = "LOCKGATE_OSV"  # the path of a snapshot, or the address of an OSV API that pip-audit is to ask


def open_scanner(home: Home, clock: Clock) -> vulnerabilities.VulnerabilityScanner:
    """What $LOCKGATE_OSV names, else HOME/osv.zip, else pip-audit and the public service."""
    named = os.environ.get(VARIABLE, "").strip()
    if named.startswith(("http://", "https://")):
        return PipAudit(clock, named)
    if named:
        return OsvSnapshot(Path(named), clock)
    at_home = home.folder / "osv.zip"
    return OsvSnapshot(at_home, clock) if at_home.exists() else PipAudit(clock)


def open_image_scanners() -> vulnerabilities.ImageScanners:
    return ImageScanners()
