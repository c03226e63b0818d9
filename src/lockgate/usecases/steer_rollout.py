"""Give a rollout a signal, from a person or from the evidence, with all that follows from it in one transaction."""

from __future__ import annotations

from datetime import datetime

from lockgate.domain.environments import STAGE_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Outcome, Phase, Rollout, Signal
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.ports.state import ROLLOUTS, Writer
from lockgate.stages.deliver.rollout import advance, weight
from lockgate.usecases.apply_stage import apply_stage
from lockgate.usecases.find_things import rollout_by, version_of
from lockgate.usecases.publish_routes import publish_rollout
from lockgate.usecases.world import World

_ACTION = {
    Signal.READY: Action.ROLLOUT_STEPPED,
    Signal.SAFE: Action.ROLLOUT_STEPPED,
    Signal.PROVEN: Action.ROLLOUT_PROMOTED,
    Signal.PROMOTE: Action.ROLLOUT_PROMOTED,
    Signal.HARM: Action.ROLLOUT_ABORTED,
    Signal.UNLOADABLE: Action.ROLLOUT_ABORTED,
    Signal.ABORT: Action.ROLLOUT_ABORTED,
    Signal.INCONCLUSIVE: Action.ROLLOUT_HELD,
    Signal.PAUSE: Action.ROLLOUT_PAUSED,
    Signal.RESUME: Action.ROLLOUT_RESUMED,
}


def steer(world: World, rollout_id: str, signal: Signal, actor: Actor, reason: str = "") -> Rollout:
    """A person's signal: pause, resume, promote or abort.

    Raises:
        NotFound: no such rollout. IllegalSignal: it cannot take the signal now.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        rollout = rollout_by(tx, rollout_id)
        return give_signal(tx, rollout, signal, actor, now, Outcome(rollout.verdict, detail=reason))


def give_signal(tx: Writer, rollout: Rollout, signal: Signal, actor: Actor, now: datetime, outcome: Outcome) -> Rollout:
    """The rollout after the signal, with stage, alias, routes and events as they follow from it."""
    changed = advance(rollout, signal, now, outcome)
    tx.put(ROLLOUTS, changed)
    tx.record(_happened(changed, signal, actor, now, outcome))
    if changed.phase is Phase.PROMOTED:
        version = version_of(tx, changed.model, changed.version)
        apply_stage(tx, version, STAGE_OF[changed.environment], actor, now)
    return publish_rollout(tx, changed, now)


def _happened(rollout: Rollout, signal: Signal, actor: Actor, now: datetime, outcome: Outcome) -> Happened:
    details: dict[str, object] = {"signal": signal.value, "weight": weight(rollout)}
    if outcome.detail:
        details["detail"] = outcome.detail
    if outcome.verdict in (JudgeVerdict.HARM, JudgeVerdict.SAFE) and outcome.metrics:
        details["metrics"] = list(outcome.metrics)
    action = _ACTION[signal]
    return Happened(action, actor.name, actor.authenticated, now, rollout.id, rollout.model, rollout.version, details)
