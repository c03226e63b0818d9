"""Remove what is not needed any more: lessons that checkpoints hold, and pairs of checkpoints that are judged no more."""

from __future__ import annotations

from lockgate.ports.state import LABELLED_PAIRS, LEARNINGS, LESSONS, ROLLOUTS, Reader
from lockgate.stages.deliver.rollout import under_way
from lockgate.usecases.find_things import version_of
from lockgate.usecases.find_trials import is_trial
from lockgate.usecases.world import World

PAGE = 500  # of either, in one transaction: bounds how long others wait
_LATELY = 3  # rollouts: one checkpoint is judged at a time, and each time leaves little


def tidy_lessons(world: World, model: str) -> None:
    """Lessons older than the last checkpoint but one go: a new start needs those since the last at most."""
    while _tidied(world, model):
        pass


def _tidied(world: World, model: str) -> bool:
    """Whether there may be more."""
    with world.state.read() as tx:
        before = _needed_from(tx, model)
        page = tx.find(LESSONS, model=model, limit=PAGE)
        old = [one for one in page if one.seq + len(one.labels) <= before]
        lately = tx.find(ROLLOUTS, model=model, newest_first=True, limit=_LATELY)
        ended = [one.id for one in lately if is_trial(one) and not under_way(one)]
        pairs = [pair for name in ended for pair in tx.find(LABELLED_PAIRS, rollout=name, limit=PAGE)]
    if not old and not pairs:
        return False
    with world.state.write() as tx:
        for one in old:
            tx.remove(LESSONS, model, one.seq)
        for pair in pairs:
            tx.remove(LABELLED_PAIRS, pair.rollout, pair.prediction_id)
    return True


def _needed_from(tx: Reader, model: str) -> int:
    """Place of the first row of the last checkpoint; before a course's first one, where it began."""
    learning = tx.get(LEARNINGS, model)
    if learning is None:
        return 0
    learned = version_of(tx, model, learning.checkpoint).learned
    return learned.first if learned is not None and learned.course == learning.course else learning.began
