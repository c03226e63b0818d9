"""What is live, with whom, since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lockgate.domain.events import Action
from lockgate.domain.models import CHAMPION, RequestState
from lockgate.ports.state import ALIASES, MODELS, REQUESTS, ROUTES, Reader
from lockgate.stages.deliver.rollout import weight
from lockgate.usecases.advance_rollouts import live_workers
from lockgate.usecases.publish_routes import active_rollouts
from lockgate.usecases.world import World


@dataclass(frozen=True, slots=True)
class ModelStatus:
    model: str
    champion: int | None
    since: datetime | None
    by: str | None
    candidate: int | None
    share: float
    phase: str | None
    verdict: str | None
    waiting: tuple[str, ...]  # ids of open requests


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    worker: str
    revision: str
    up_to_date: bool


@dataclass(frozen=True, slots=True)
class Status:
    models: tuple[ModelStatus, ...]
    workers: tuple[WorkerStatus, ...]


def tell_status(world: World) -> Status:
    now = world.clock.now()
    with world.state.read() as tx:
        published = tx.get(ROUTES, "current")
        workers = tuple(
            WorkerStatus(one.worker, str(one.revision), published is None or one.revision >= published.table.revision)
            for one in live_workers(tx, now)
        )
        return Status(tuple(_model_status(tx, model.name) for model in tx.find(MODELS)), workers)


def _model_status(tx: Reader, model: str) -> ModelStatus:
    alias = tx.get(ALIASES, model, CHAMPION)
    since, by = _moved(tx, model) if alias else (None, None)
    under_way = next((one for one in active_rollouts(tx, model) if one.environment == "production"), None)
    return ModelStatus(
        model=model,
        champion=alias.version if alias else None,
        since=since,
        by=by,
        candidate=under_way.version if under_way else None,
        share=weight(under_way) if under_way else 0.0,
        phase=under_way.phase.value if under_way else None,
        verdict=under_way.verdict.value if under_way else None,
        waiting=tuple(one.id for one in tx.find(REQUESTS, model=model, state=RequestState.OPEN.value)),
    )


def _moved(tx: Reader, model: str) -> tuple[datetime | None, str | None]:
    for event in tx.events(model=model, newest_first=True, limit=1000):
        if event.happened.action is Action.ALIAS_SET:
            return event.happened.at, event.happened.actor
    return None, None
