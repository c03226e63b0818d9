"""`/mlflow/activities/list`: the history of a model or a version, which Databricks shows on its pages only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter

from lockgate.domain.events import Event
from lockgate.entrypoints.api.mlflow.callers import Viewer
from lockgate.entrypoints.api.mlflow.pages import place
from lockgate.entrypoints.api.mlflow.shapes import asked
from lockgate.entrypoints.api.mlflow.shapes.activities import activity, activity_type
from lockgate.entrypoints.api.mlflow.shapes.moments import milliseconds
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.ports.state import Reader
from lockgate.usecases.find_things import model_named

router = APIRouter(prefix="/mlflow/activities")
_PAGE = 500  # events


@router.get("/list")
def listed(desk: DeskHere, _viewer: Viewer, sent: asked.HistorySent) -> Any:
    """The oldest first, in the order of the audit log."""
    most = min(sent.max_results or asked.MOST, asked.MOST)
    with desk.world.state.read() as tx:
        model_named(tx, sent.name)
        found: list[Event] = []
        for event in _events(tx, sent.name, place(sent)):
            if _wanted(event, sent):
                if len(found) == most:
                    return {"activities": [activity(one) for one in found], "next_page_token": str(found[-1].seq)}
                found.append(event)
        return {"activities": [activity(one) for one in found]}


def _events(tx: Reader, model: str, after: int) -> Iterator[Event]:
    while page := tx.events(model=model, after=after, limit=_PAGE):
        yield from page
        after = page[-1].seq


def _wanted(event: Event, sent: asked.History) -> bool:
    happened = event.happened
    return (
        sent.version in (None, happened.version)
        and sent.since <= milliseconds(happened.at) <= sent.until
        and (not sent.activity_type or sent.activity_type in activity_type(happened))
    )
