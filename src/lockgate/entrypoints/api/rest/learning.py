"""Online learning: how far a model has learned, and a person's hand on it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lockgate.entrypoints.api.people import ActorNamed
from lockgate.entrypoints.api.rest.rollouts import Waking
from lockgate.entrypoints.api.shapes.learning import Learning, LearningInFull
from lockgate.entrypoints.api.shapes.rollouts import Reason
from lockgate.entrypoints.reading.desk import DeskHere
from lockgate.entrypoints.reading.learning import learning_of
from lockgate.usecases.resume_learning import resume_learning
from lockgate.usecases.stop_learning import stop_learning

router = APIRouter(prefix="/api/v1/models", tags=["learning"])


@router.get("/{model}/learning", response_model=LearningInFull)
def learning(desk: DeskHere, model: str) -> Any:
    """State, log, checkpoints, and how far the evidence against the stream of lessons has come."""
    with desk.world.state.read() as tx:
        return learning_of(tx, model)


@router.post("/{model}/learning/stop", response_model=Learning)
def stop(desk: DeskHere, actor: ActorNamed, watch: Waking, model: str, body: Reason | None = None) -> Any:
    """Lessons are refused from the next route table on, of which workers are told at once; the champion goes on answering."""
    stopped = stop_learning(desk.world, model, actor, body.reason if body else "")
    watch.look_now()
    return stopped


@router.post("/{model}/learning/resume", response_model=Learning)
def resume(desk: DeskHere, actor: ActorNamed, watch: Waking, model: str) -> Any:
    """A new course begins from the champion at the log's present end."""
    resumed = resume_learning(desk.world, model, actor)
    watch.look_now()
    return resumed
