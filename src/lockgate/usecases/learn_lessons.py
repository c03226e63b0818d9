"""One turn of the learner: score further rows of a model's log, learn them, make a checkpoint when one is due, sound the alarm.

Read; work outside any transaction; then write all of it at once, if what was read still stands (compare and set): else the turn
is dropped and its rows are worked through again. What is in memory is a cache of the last checkpoint's package and the log since,
and after each checkpoint it is what the package is read back as. So whoever takes the next turn, after whatever happened, goes
the same way bit for bit, and two at once do no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lockgate.boundary.routes import LabelEvent
from lockgate.boundary.selector import unit_key
from lockgate.domain.learning import Learning, LearningState, LoggedLesson, Online
from lockgate.domain.models import ModelVersion
from lockgate.domain.pairs import LabelledPair
from lockgate.domain.people import LEARNER
from lockgate.domain.rollouts import Rollout, Strategy
from lockgate.kernel.errors import Conflict, LockgateError, Unavailable
from lockgate.ports.state import LABELLED_PAIRS, LEARNINGS
from lockgate.stages.deliver.online.alarm import judged
from lockgate.stages.deliver.online.course import due_at, is_due
from lockgate.stages.deliver.online.lessons import rows
from lockgate.usecases.begin_course import Standing, begin_course, standing_of
from lockgate.usecases.find_lessons import log_end
from lockgate.usecases.find_things import version_of
from lockgate.usecases.live_models import Live, LiveModels
from lockgate.usecases.sound_alarm import sound_alarm
from lockgate.usecases.stop_learning import put_stopped
from lockgate.usecases.take_checkpoint import Checkpoint, drawn_up, register_checkpoint, take_checkpoint
from lockgate.usecases.tidy_lessons import tidy_lessons
from lockgate.usecases.world import World

log = logging.getLogger(__name__)


def learn_lessons(world: World, models: LiveModels) -> bool:
    """A turn for each model that learns. True if there was anything to do.

    Raises:
        Unavailable: the state or the artifacts; nothing is lost. A model that raises stops its learning, with the reason.
    """
    with world.state.read() as tx:
        learning = [one.model for one in tx.find(LEARNINGS) if one.state is LearningState.OPEN]
    turns = [_turn(world, models, model) for model in learning]
    return any(turns)


def _turn(world: World, models: LiveModels, model: str) -> bool:
    with world.state.read() as tx:
        standing, end = standing_of(tx, model), log_end(tx, model)
    if standing.begins:
        models.forget(model)
        return begin_course(world, model)
    try:
        task = _task(standing)
        return task is not None and _carry_out(world, models, task, end)
    except Unavailable:
        models.forget(model)
        raise
    except LockgateError as error:
        models.forget(model)
        return _give_up(world, standing, error)
    except BaseException:
        models.forget(model)  # it may have learned what was not committed
        raise


@dataclass(frozen=True, slots=True)
class _Task:
    """What stands, with nothing missing. learning: under the present champion."""

    standing: Standing
    learning: Learning
    champion: ModelVersion
    online: Online
    event: LabelEvent


def _task(standing: Standing) -> _Task | None:
    """None where the learning does not go on. Raises Conflict: it cannot."""
    learning, plan, champion = standing.learning, standing.plan, standing.champion
    if learning is None or learning.state is not LearningState.OPEN:
        return None
    if plan.strategy is not Strategy.ONLINE or plan.online is None or plan.judge.label_event is None:
        raise Conflict(f"the project file does not let {learning.model} learn online any more (strategy {plan.strategy.value})")
    if champion is None:
        raise Conflict(f"no version of {learning.model} is in Production")
    return _Task(standing, replace(learning, champion=champion.version), champion, plan.online, plan.judge.label_event)


def _carry_out(world: World, models: LiveModels, task: _Task, end: int) -> bool:
    learning = task.learning
    began, most = world.clock.monotonic(), models.most(learning.model)
    until = min(end, due_at(learning, task.online.every), learning.learned + most)
    if until <= learning.learned and not is_due(learning, task.online.every) and learning == task.standing.learning:
        return False
    live = models.learning(world, learning)
    if live.at < learning.learned:
        live.take(models.lessons(world, learning.model, live.at, min(learning.learned, live.at + most)), task.event)
        return True
    lessons = models.lessons(world, learning.model, learning.learned, until)
    happened, pairs = _scored(world, models, task, lessons)
    after, alarmed = judged(learning, happened, task.online)
    made = None
    if not alarmed:
        live.take(lessons, task.event)
        if is_due(after, task.online.every):
            made = take_checkpoint(world, live.parent, live.parent.learner, live.lessons)
    if not _written(world, task, after, pairs, made, live.event_rate, alarmed=alarmed):
        models.forget(learning.model)
        return True
    _remember(models, world, after, made, alarmed=alarmed)
    models.note_pace(learning.model, until - learning.learned, world.clock.monotonic() - began)
    return True


def _scored(
    world: World, models: LiveModels, task: _Task, lessons: Sequence[LoggedLesson]
) -> tuple[list[bool | None], list[LabelledPair]]:
    """Of each row whether the champion had the judged event, None where it could not be asked; and the pairs for the judge."""
    trial, pairs, happened = task.standing.trial, [], []
    versions = [task.champion]
    if trial is not None:
        with world.state.read() as tx:
            versions.append(version_of(tx, trial.model, trial.version))
    champion, *checkpoint = models.opened(world, task.learning.model, versions)
    for place, row, label in rows(lessons, champion.inputs):
        score = None if row is None else champion.learner.score(row)
        happened.append(None if score is None else task.event.happened(score, label))
        if trial is not None and row is not None and score is not None:
            pairs.append(_pair(trial, place, checkpoint[0].learner.score(row), score, label))
    return happened, pairs


def _pair(trial: Rollout, place: int, checkpoint: float, champion: float, label: float) -> LabelledPair:
    return LabelledPair(trial.id, str(place), unit_key(trial.salt, str(place)), checkpoint, champion, label)


def _written(
    world: World,
    task: _Task,
    after: Learning,
    pairs: Sequence[LabelledPair],
    made: Checkpoint | None,
    event_rate: float | None,
    *,
    alarmed: bool,
) -> bool:
    """False, and nothing is, if what the turn went by stands no more."""
    drawn = drawn_up(world, after, made, event_rate) if made is not None else None
    with world.state.write() as tx:
        if standing_of(tx, after.model).key != task.standing.key:
            return False
        now = world.clock.now()
        if alarmed:
            sound_alarm(tx, after, task.champion, task.online, task.event, now)
            return True
        tx.add_all(LABELLED_PAIRS, pairs)
        if made is None or drawn is None:
            tx.put(LEARNINGS, after)
        else:
            register_checkpoint(world, tx, after, made, drawn, task.standing.plan)
    return True


def _remember(models: LiveModels, world: World, after: Learning, made: Checkpoint | None, *, alarmed: bool) -> None:
    """What the next turn begins with: after a checkpoint, what its package is read back as."""
    if alarmed:
        log.warning("the lessons are not believed any more", extra={"model": after.model, "row": after.learned - 1})
        models.forget(after.model)
        return
    if made is not None:
        with world.state.read() as tx:
            learning = tx.get(LEARNINGS, after.model) or after
        models.live[after.model] = Live(after.course, learning.checkpoint, made.opened, after.learned)
        tidy_lessons(world, after.model)


def _give_up(world: World, standing: Standing, error: LockgateError) -> bool:
    """The same rows would raise again: it is stopped, and people see why."""
    reason = f"{error.message} {error.hint}" if error.hint else error.message
    with world.state.write() as tx:
        if standing.learning is not None and standing_of(tx, standing.learning.model).key == standing.key:
            log.error("the learning is stopped", extra={"model": standing.learning.model, "error": error.message})
            put_stopped(tx, standing.learning, LEARNER, reason, world.clock.now())
    return True
