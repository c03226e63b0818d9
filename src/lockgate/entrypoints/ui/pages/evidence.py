"""All that the gates measured of a version, read from the document that its digest pins."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.entrypoints.reading.gates import gates_clause, gates_waived
from lockgate.entrypoints.ui.render import render
from lockgate.kernel.errors import Corrupt
from lockgate.usecases.find_things import version_of
from lockgate.usecases.read_evidence import read_evidence

router = APIRouter(include_in_schema=False)


@router.get("/models/{name}/versions/{number}/evidence")
def evidence(request: Request, desk: DeskHere, name: str, number: int) -> Response:
    """A damaged document is named, and none of it is shown."""
    with desk.world.state.read() as tx:
        version = version_of(tx, name, number)
    try:
        found = read_evidence(desk.world.artifacts, version)
    except Corrupt as error:
        return render(request, "evidence.html", version=version, found=None, damage=error.message, gates=(), says="")
    with desk.world.state.read() as tx:
        gates = gates_waived(tx, version, found.gates, desk.world.clock.now())
    return render(request, "evidence.html", version=version, found=found, damage=None, gates=gates, says=gates_clause(gates))
