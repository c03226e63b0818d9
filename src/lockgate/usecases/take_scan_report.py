"""Take in what another scanner reported of a version, or of the image that it became."""

from __future__ import annotations

from lockgate.domain.people import Actor
from lockgate.domain.vulnerabilities import Scan
from lockgate.stages.decide.scans import reports
from lockgate.usecases.find_things import version_of
from lockgate.usecases.record_scan import record_scan
from lockgate.usecases.world import World


def take_scan_report(world: World, model: str, version: int, content: bytes, actor: Actor) -> Scan:
    """content: Trivy's, Grype's or Clair's JSON, or SARIF; kept as it came. Nobody is asked anything.

    Raises:
        NotFound: there is no such version. Invalid: it is no report that can be read.
    """
    with world.state.read() as tx:
        version_of(tx, model, version)
    told = reports.read(content)
    scan = Scan(
        model=model,
        version=version,
        tool=told.tool,
        found=told.found,
        report=world.artifacts.put(content),
        at=world.clock.now(),
        by=actor.name,
        database=told.database,
        subject=told.subject,
    )
    record_scan(world, scan, actor)
    return scan
