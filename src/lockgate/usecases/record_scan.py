"""Record what a scanner found in a version: its standing at every edge follows from that."""

from __future__ import annotations

from collections import Counter

from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor
from lockgate.domain.vulnerabilities import Scan
from lockgate.ports.state import SCANS
from lockgate.usecases.find_things import version_of
from lockgate.usecases.world import World


def record_scan(world: World, scan: Scan, actor: Actor) -> None:
    """In place of the tool's last one. Its report is kept before.

    Raises:
        NotFound: there is no such version, or no longer.
    """
    counted = Counter(one.severity.name.lower() for one in scan.found)
    about = {"tool": scan.tool, "database": scan.database, "subject": scan.subject}
    details = {**about, "found": dict(counted), "report": scan.report}
    subject, who = f"{scan.model}/{scan.version}", (actor.name, actor.authenticated)
    with world.state.write() as tx:
        version_of(tx, scan.model, scan.version)
        tx.put(SCANS, scan)
        tx.record(Happened(Action.VERSION_SCANNED, *who, scan.at, subject, scan.model, scan.version, details))
