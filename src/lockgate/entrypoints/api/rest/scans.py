"""What scanners found of a version."""

from __future__ import annotations

from fastapi import APIRouter

from lockgate.entrypoints.api.shapes.scans import Scans, scan_shape
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.entrypoints.reading.scans import scans_now
from lockgate.usecases.find_things import version_of

router = APIRouter(prefix="/api/v1", tags=["gates"])


@router.get("/models/{model}/versions/{version}/scans")
def scans(desk: DeskHere, model: str, version: int) -> Scans:
    """Known vulnerabilities of what it needs to run: the last scan of each tool, the newest first."""
    with desk.world.state.read() as tx:
        found = scans_now(tx, version_of(tx, model, version), desk.world.clock.now())
    return Scans(scans=[scan_shape(one) for one in found])
