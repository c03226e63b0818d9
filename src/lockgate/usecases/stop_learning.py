"""Stop the learning of a model: lessons are refused, no checkpoint is judged any more; the champion goes on answering."""

from __future__ import annotations

from datetime import datetime

from lockgate.domain.events import Action, Happened
from lockgate.domain.learning import Learning, LearningState
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Conflict, NotFound
from lockgate.ports.state import LEARNINGS, Reader, Writer
from lockgate.stages.deliver.online.course import stopped
from lockgate.usecases.begin_course import end_trial
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.world import World


def stop_learning(world: World, model: str, actor: Actor, reason: str) -> Learning:
    """A person's stop.

    Raises:
        NotFound: the model does not learn online. Conflict: it is stopped already.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        learning = learning_by(tx, model)
        if learning.state is LearningState.STOPPED:
            raise Conflict(
                f"the learning of {model} was stopped already by {learning.changed_by}: {learning.reason}",
                hint=f"To let it learn again: lockgate learning resume {model}",
            )
        return put_stopped(tx, learning, actor, reason or f"{actor.name} stopped it", now)


def put_stopped(tx: Writer, learning: Learning, actor: Actor, reason: str, now: datetime) -> Learning:
    """The learning as it stands from now on, with what follows from it."""
    changed = stopped(learning, actor.name, reason, now)
    tx.put(LEARNINGS, changed)
    details = {"reason": reason, "learned": changed.learned, "clean": changed.clean}
    subject = changed.course or changed.model
    action = Action.LEARNING_STOPPED
    tx.record(Happened(action, actor.name, actor.authenticated, now, subject, changed.model, changed.checkpoint, details))
    end_trial(tx, changed.model, actor, now, f"the learning was stopped: {reason}")
    publish_routes(tx, changed.model)
    return changed


def learning_by(tx: Reader, model: str) -> Learning:
    found = tx.get(LEARNINGS, model)
    if found is None:
        raise NotFound(
            f"{model} does not learn online",
            hint="Say `strategy: online` in its project file, and bring a model into Production that learns row by row.",
        )
    return found
