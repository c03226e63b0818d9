"""Begin a course of learning: a champion learns online from the present end of its model's log on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.events import Action, Happened
from lockgate.domain.learning import Learning, LearningState
from lockgate.domain.models import ModelVersion
from lockgate.domain.people import LEARNER, Actor
from lockgate.domain.rollouts import Outcome, Plan, Rollout, Signal, Strategy
from lockgate.kernel.errors import LockgateError, Unavailable
from lockgate.kernel.ids import new_id
from lockgate.ports.state import LEARNINGS, PROJECTS, Reader, Writer
from lockgate.stages.deliver.online.course import begun, goes_on, stopped
from lockgate.usecases.find_lessons import log_end
from lockgate.usecases.find_things import environment_of
from lockgate.usecases.find_trials import trial_of
from lockgate.usecases.open_learner import open_learner
from lockgate.usecases.publish_routes import last_into_production, publish_routes
from lockgate.usecases.start_rollout import standing_in
from lockgate.usecases.steer_rollout import give_signal
from lockgate.usecases.world import World


@dataclass(frozen=True, slots=True)
class Standing:
    """What the learning of a model hangs on; whoever worked by it sees before it writes that it still holds.

    plan: of Production. trial: the rollout of the checkpoint that is judged. came_back: the champion, by a roll-back since the
    course began.
    """

    learning: Learning | None
    plan: Plan
    champion: ModelVersion | None
    trial: Rollout | None
    came_back: bool

    @property
    def key(self) -> tuple[Any, ...]:
        champion, trial = self.champion.version if self.champion else None, self.trial.id if self.trial else None
        return self.learning, self.plan, champion, trial, self.came_back

    @property
    def begins(self) -> bool:
        """Whether a course is to begin: none could yet, or the champion is another by people's doing."""
        learning, champion = self.learning, self.champion
        if champion is None or self.plan.strategy is not Strategy.ONLINE or self.plan.online is None:
            return False
        if learning is None:
            return True
        if learning.state is LearningState.STOPPED and learning.course:
            return False
        return not goes_on(learning, champion, came_back=self.came_back)


def standing_of(tx: Reader, model: str) -> Standing:
    learning = tx.get(LEARNINGS, model)
    return Standing(
        learning,
        environment_of(tx, model, PRODUCTION).plan,
        standing_in(tx, model, PRODUCTION),
        trial_of(tx, model),
        came_back=_came_back(learning, last_into_production(tx, model)),
    )


def _came_back(learning: Learning | None, last: Rollout | None) -> bool:
    if last is None or not last.back or last.ended_at is None:
        return False
    return learning is None or learning.changed_at is None or last.ended_at > learning.changed_at


def begin_courses(world: World) -> bool:
    """A course for each model that is to learn online and does not yet, or whose champion is another. True if there was one.

    Raises:
        Unavailable: the store. A champion that cannot learn is no error: people see why in the learning, which is stopped.
    """
    with world.state.read() as tx:
        models = [one.model for one in tx.find(PROJECTS) if standing_of(tx, one.model).begins]
    begun_now = [begin_course(world, model) for model in models]
    return any(begun_now)


def begin_course(world: World, model: str) -> bool:
    """True if the model has a course, or a reason why it has none, that it did not have."""
    with world.state.read() as tx:
        standing = standing_of(tx, model)
    if not standing.begins or standing.champion is None:
        return False
    reason = _why_not(world, standing.plan, standing.champion)
    with world.state.write() as tx:
        if standing_of(tx, model).key == standing.key:
            if reason:
                cannot_begin(tx, model, standing.champion.version, reason, world.clock.now())
            else:
                open_course(tx, model, standing.champion.version, LEARNER, world.clock.now(), Action.LEARNING_BEGAN)
    return True


def _why_not(world: World, plan: Plan, champion: ModelVersion) -> str:
    if plan.judge.label_event is None:
        return "the project file does not say which event of a label is judged (judge: labels)"
    try:
        open_learner(world, champion)
    except Unavailable:
        raise
    except LockgateError as error:
        return f"version {champion.version} cannot learn: {error.message}" + (f" {error.hint}" if error.hint else "")
    return ""


def open_course(tx: Writer, model: str, base: int, actor: Actor, now: datetime, action: Action) -> Learning:
    """The learning as it begins; what was judged before it is aborted."""
    before = tx.get(LEARNINGS, model)
    learning = replace(begun(model, new_id("course"), base, log_end(tx, model)), changed_at=now, changed_by=actor.name)
    tx.put(LEARNINGS, learning)
    details: dict[str, Any] = {"base": base, "began": learning.began}
    if action is Action.LEARNING_RESUMED and before is not None:
        details["before"] = before.course
    tx.record(Happened(action, actor.name, actor.authenticated, now, learning.course, model, base, details))
    end_trial(tx, model, actor, now, f"a new course of learning began with version {base}")
    publish_routes(tx, model)
    return learning


def cannot_begin(tx: Writer, model: str, base: int, reason: str, now: datetime) -> None:
    learning = stopped(begun(model, "", base, log_end(tx, model)), LEARNER.name, reason, now)
    tx.put(LEARNINGS, learning)
    details = {"reason": reason, "learned": learning.learned, "clean": learning.clean}
    tx.record(Happened(Action.LEARNING_STOPPED, LEARNER.name, LEARNER.authenticated, now, model, model, base, details))
    end_trial(tx, model, LEARNER, now, reason)
    publish_routes(tx, model)


def end_trial(tx: Writer, model: str, actor: Actor, now: datetime, why: str) -> None:
    """Abort the rollout of the checkpoint that is being judged, if there is one: nothing more will be learned of it."""
    trial = trial_of(tx, model)
    if trial is not None:
        give_signal(tx, trial, Signal.ABORT, actor, now, Outcome(trial.verdict, detail=why))
