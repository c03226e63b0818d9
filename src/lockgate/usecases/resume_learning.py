"""Let a model learn again: a new course begins with its champion, at the present end of the log."""

from __future__ import annotations

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.events import Action
from lockgate.domain.learning import Learning, LearningState
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Strategy
from lockgate.kernel.errors import Conflict
from lockgate.usecases.begin_course import open_course
from lockgate.usecases.find_things import environment_of
from lockgate.usecases.start_rollout import standing_in
from lockgate.usecases.stop_learning import learning_by
from lockgate.usecases.world import World


def resume_learning(world: World, model: str, actor: Actor) -> Learning:
    """What came while it was stopped is not learned: it was refused, or is passed over.

    Raises:
        NotFound: the model never learned online. Conflict: it learns already, or its project file or Production does not let it.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        if learning_by(tx, model).state is LearningState.OPEN:
            raise Conflict(f"{model} learns already", hint=f"See lockgate learning status {model}")
        plan = environment_of(tx, model, PRODUCTION).plan
        if plan.strategy is not Strategy.ONLINE:
            found = plan.strategy.value
            raise Conflict(
                f"strategy {found} found in the project file of {model}, online expected", hint="Change it, and run it."
            )
        champion = standing_in(tx, model, PRODUCTION)
        if champion is None:
            raise Conflict(
                f"{model} has no version in Production that could learn", hint=f"lockgate request {model} N --to Production"
            )
        return open_course(tx, model, champion.version, actor, now, Action.LEARNING_RESUMED)
