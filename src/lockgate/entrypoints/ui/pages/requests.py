"""What waits for people, of all models; and a version's card."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from lockgate.entrypoints.reading.asked import open_requests
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.entrypoints.ui.render import render, visit
from lockgate.usecases.find_answers import open_glasses
from lockgate.usecases.write_card import write_card

router = APIRouter(include_in_schema=False)


@router.get("/requests")
def requests(request: Request, desk: DeskHere) -> Response:
    with desk.world.state.read() as tx:
        found = open_requests(tx, desk.world.clock.now(), visit(request)["me"])
        glasses = open_glasses(tx, desk.world.clock.now())
    return render(request, "requests.html", asked=found, glasses=glasses)


@router.get("/models/{name}/versions/{number}/card")
def card(request: Request, desk: DeskHere, name: str, number: int) -> Response:
    return render(request, "card.html", model=name, number=number, card=write_card(desk.world, name, number))
