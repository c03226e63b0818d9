"""What is live, with whom, since when; and who answers."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter

from lockgate.entrypoints.api.shapes.status import Live, PackageState, Status, Worker
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.entrypoints.reading.live import live_models
from lockgate.ports import state as kept
from lockgate.ports.state import INBOX, MODELS, WORKERS, Reader
from lockgate.usecases.live_workers import live_workers
from lockgate.usecases.publish_routes import route_table

router = APIRouter(prefix="/api/v1", tags=["status"])


@router.get("/status")
def status(desk: DeskHere) -> Status:
    """What is live, with whom, since when."""
    now = desk.world.clock.now()
    with desk.world.state.read() as tx:
        names = [model.name for model in tx.find(MODELS)]
        return Status(
            at=now,
            revision=str(route_table(tx).revision),
            models=[Live.model_validate(one) for one in live_models(tx, names).values()],
            workers=_workers(tx, now),
            inbox=tx.count(INBOX),
        )


@router.get("/workers")
def workers(desk: DeskHere) -> list[Worker]:
    """Every process of the data plane that was heard of, with the table it routes by and the packages it holds."""
    with desk.world.state.read() as tx:
        return _workers(tx, desk.world.clock.now())


def _workers(tx: Reader, now: datetime) -> list[Worker]:
    alive = {one.incarnation for one in live_workers(tx, now)}
    return [_worker(one, alive=one.incarnation in alive) for one in tx.find(WORKERS)]


def _worker(worker: kept.Worker, *, alive: bool) -> Worker:
    said = worker.acknowledgement
    return Worker(
        worker=said.worker,
        incarnation=said.incarnation,
        alive=alive,
        seen_at=datetime.fromtimestamp(worker.seen_at, UTC),
        revision=str(said.revision),
        applied_at=datetime.fromtimestamp(said.applied_at, UTC),
        packages={digest: PackageState.model_validate(state) for digest, state in said.packages.items()},
        rss_bytes=said.rss_bytes,
    )
